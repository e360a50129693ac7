"""What holds for every method of editing, whoever adds it."""

from __future__ import annotations

from math import prod

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from card24_pipeline.checkpoints.reader import open_folder
from card24_pipeline.checkpoints.selection import describe_tensors
from card24_pipeline.edits.applying import Workbench, edit_tensors
from card24_pipeline.edits.edit import Edit
from card24_pipeline.edits.registry import FACTORS, INPUTS, Fraction, edit_method, list_methods
from card24_pipeline.spectral.decomposition import Factors
from card24_pipeline.tools.recover import recover_checkpoint

METHODS = list_methods()


@pytest.fixture(params=METHODS, ids=lambda method: method.name)
def method(request):
    return request.param


def make_edit(method, knob=None, **choices) -> Edit:
    return Edit(method.name, knob=method.knob and (method.knob.default if knob is None else knob), **choices)


def run(donor, target, edit) -> dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Return every tensor of the donor, of the target, and as edited."""
    with open_folder(donor) as one, open_folder(target) as other:
        edited = dict(edit_tensors({"donor": one}, other, [edit]))
        return {name: (one.read(name), other.read(name), edited[name][0]) for name in other.names}


def is_same(first, second) -> bool:
    return first.dtype == second.dtype and torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_changes_only_what_it_touches_and_keeps_the_dtype(save_model, method, dtype) -> None:
    donor, target = save_model("donor", seed=1, dtype=dtype), save_model("target", dtype=dtype)
    edit = make_edit(method)
    with open_folder(target) as checkpoint:
        places, shapes = describe_tensors(checkpoint)
    changed = 0
    for name, (_, before, after) in run(donor, target, edit).items():
        assert after.dtype == dtype
        assert after.shape == before.shape
        assert torch.isfinite(after).all()
        if edit.touches(places[name], shapes[name]):
            changed += not torch.equal(after, before)
        else:
            assert torch.equal(after, before)
    assert changed


def test_the_same_edit_twice_gives_the_same_bits(save_model, method) -> None:
    pair = save_model("donor", seed=1), save_model("target")
    first, second = (run(*pair, make_edit(method, seed=3)) for _ in range(2))
    assert all(is_same(first[name][2], second[name][2]) for name in first)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_an_edit_toward_itself_is_bit_identical(save_model, method, dtype) -> None:
    target = save_model("target", dtype=dtype)
    assert all(is_same(after, before) for _, before, after in run(target, target, make_edit(method)).values())


def test_a_share_has_an_end_that_changes_nothing(save_model, method) -> None:
    if method.knob is None or method.knob.kind != "Fraction":
        pytest.skip("its knob is no share")
    pair = save_model("donor", seed=1), save_model("target")
    ends = [run(*pair, make_edit(method, knob=end)) for end in (0, 1)]
    assert any(all(is_same(after, before) for _, before, after in end.values()) for end in ends)


def test_a_knob_out_of_range_is_refused_in_a_line(method) -> None:
    if method.knob is None:
        with pytest.raises(ValueError, match=f"^{method.name} has no knob, got 0.5$"):
            Edit(method.name, knob=0.5)
        return
    for wrong in (-0.1, 5.5, float("nan"), float("inf")):
        line = f"^{method.knob.name}: expected .*, got {wrong:g}$"
        with pytest.raises(ValueError, match=line):
            Edit(method.name, knob=wrong)
        with pytest.raises(ValueError, match=line):
            method.change(**dict.fromkeys(method.inputs), **{method.knob.name: wrong})
    with pytest.raises(ValueError, match=f"^{method.name} needs {method.knob.name}, got None$"):
        Edit(method.name)


def test_only_copies_cost_nothing(save_model, method) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    edit = make_edit(method)
    with open_folder(target) as checkpoint:
        places, shapes = describe_tensors(checkpoint)
    flops = edit.count_flops(places, shapes)
    if flops == 0:
        for given, before, after in run(donor, target, edit).values():
            assert is_same(after, given) or is_same(after, before)
    else:
        assert flops >= sum(prod(shape) for name, shape in shapes.items() if edit.touches(places[name], shape))


def test_adapter_on_the_target_equals_the_folder(tmp_path, save_model, method) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    if not method.low_rank:
        with pytest.raises(ValueError, match="is no low-rank update"):
            recover_checkpoint(donor, target, tmp_path / "out", make_edit(method), form="adapter")
        return
    recover_checkpoint(donor, target, tmp_path / "whole", make_edit(method), null_draws=0)
    recover_checkpoint(donor, target, tmp_path / "adapter", make_edit(method), form="adapter", null_draws=0)
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole").state_dict()
    base = AutoModelForCausalLM.from_pretrained(target)
    merged = PeftModel.from_pretrained(base, tmp_path / "adapter").merge_and_unload().state_dict()
    assert merged.keys() == whole.keys()
    assert max(float((merged[name] - whole[name]).abs().max()) for name in whole) < 1e-5


def test_says_what_it_is(method) -> None:
    assert method.title
    assert (method.change.__doc__ or "").strip()
    assert method.change.__module__ == f"card24_pipeline.edits.methods.{method.name}"
    assert not method.paper or method.paper.startswith("arXiv:")


def test_titles_tell_methods_apart() -> None:
    assert len({method.title for method in METHODS}) == len(METHODS) >= 10


def test_every_input_that_a_method_may_name_is_there(save_model) -> None:
    name = "model.layers.1.mlp.up_proj.weight"
    with open_folder(save_model("donor", seed=1)) as donor, open_folder(save_model("target")) as target:
        places, _ = describe_tensors(target)
        bench = Workbench(name, places[name], {"donor": donor}, target)
        taken = {what: bench.take(what, Edit("singular_values")) for what in INPUTS}
    assert {what for what, value in taken.items() if isinstance(value, Factors)} == set(FACTORS)
    assert taken["depth"] == pytest.approx(1 / 3)


def test_a_function_of_anything_else_is_refused() -> None:
    def of_weights(weights): ...
    def of_a_share(weight, *, share: float = 0.5): ...
    def of_two_knobs(weight, *, one: Fraction = 0.5, other: Fraction = 0.5): ...

    for function in (of_weights, of_a_share, of_two_knobs):
        with pytest.raises(TypeError, match=f"{function.__name__}: takes any of weight, donor_weight"):
            edit_method(title="wrong", scope="model")(function)
