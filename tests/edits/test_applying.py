from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.reader import open_folder
from card24_pipeline.edits.applying import edit_tensors
from card24_pipeline.edits.edit import Edit
from card24_pipeline.spectral import decomposition


def run(donor, target, edits) -> dict[str, list[torch.Tensor]]:
    with open_folder(donor) as one, open_folder(target) as other:
        return dict(edit_tensors({"donor": one}, other, edits))


def read_all(folder) -> dict[str, torch.Tensor]:
    with open_folder(folder) as checkpoint:
        return {name: checkpoint.read(name) for name in checkpoint.names}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_reset_takes_the_donors_bits_and_leaves_the_targets(save_model, dtype) -> None:
    donor, target = save_model("donor", seed=1, dtype=dtype), save_model("target", dtype=dtype)
    wanted, given = read_all(target), read_all(donor)
    for name, (reset,) in run(donor, target, [Edit("layer_reset", knob=2)]).items():
        assert torch.equal(reset, (given if ".layers.1." in name else wanted)[name])
        assert reset.dtype == dtype


@pytest.mark.parametrize(
    "edit",
    [
        Edit("interpolation", knob=1.0),
        Edit("uv_top", knob=1.0, sigma="donor", embeddings=True),
        Edit("delta_top", knob=0.0, embeddings=True),
    ],
    ids=lambda edit: edit.method,
)
def test_whole_edits_give_the_donors_matrices(save_model, edit) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    given = read_all(donor)
    for name, (edited,) in run(donor, target, [edit]).items():
        if "norm" not in name:
            assert torch.allclose(edited, given[name], atol=2e-5)


def test_depth_scaling_leaves_the_last_layer_and_takes_the_embeddings_from_the_donor(save_model) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    edited = {name: one for name, (one,) in run(donor, target, [Edit("layer_scaling", knob=0.0)]).items()}
    given, wanted = read_all(donor), read_all(target)
    for name in ("model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight"):
        assert torch.allclose(edited[name], given[name], atol=1e-6)
    for name in ("lm_head.weight", "model.norm.weight", "model.layers.3.mlp.up_proj.weight"):
        assert torch.equal(edited[name], wanted[name])


def test_each_matrix_is_decomposed_once_for_all_edits(save_model, monkeypatch) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    calls = []
    decompose = decomposition.decompose
    monkeypatch.setattr(decomposition, "decompose", lambda weight: calls.append(1) or decompose(weight))
    run(donor, target, [Edit("uv_top", knob=knob / 10) for knob in range(1, 11)])
    assert len(calls) == 2 * 4 * 7  # donor and target, four layers of seven matrices


def test_errors_come_before_work(save_model) -> None:
    donor, target = save_model("donor", num_hidden_layers=2), save_model("target")
    with pytest.raises(CheckpointError, match=r"donor lacks model\.layers\.2"):
        run(donor, target, [Edit("uv_top", knob=0.2)])
    short = save_model("short", num_hidden_layers=2)
    with pytest.raises(CheckpointError, match="would touch no tensor"):
        run(short, short, [Edit("layer_reset", knob=2)])
    with pytest.raises(ValueError, match="no donor is called max_ood"):
        run(target, target, [Edit("uv_top", donor="max_ood", knob=0.2)])


@pytest.mark.parametrize(
    "edit",
    [Edit("interpolation", knob=0.5), Edit("layer_reset", knob=2), Edit("uv_top", knob=0.5, sigma="donor")],
    ids=lambda edit: edit.method,
)
def test_values_that_the_target_s_type_cannot_hold_are_refused(save_model, edit) -> None:
    donor, target = save_model("donor", seed=1), save_model("target", dtype=torch.float16)
    weights = load_file(donor / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    save_file(weights | {name: weights[name] * 1e9}, donor / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=rf"{name}: {edit.method}.*float16 cannot hold: take a target of a wider"):
        run(donor, target, [edit])
