from __future__ import annotations

import json

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from card24_pipeline.checkpoints.manifest import CheckpointError, check_manifest
from card24_pipeline.checkpoints.reader import WEIGHTS
from card24_pipeline.edits.edit import Edit
from card24_pipeline.tools import recover
from card24_pipeline.tools.recover import REPORT, recover_checkpoint

TOP = Edit("uv_top", knob=0.2)


@pytest.mark.parametrize(("kind", "tied"), [("llama", False), ("qwen2", True)])
def test_adapter_on_the_target_equals_the_recovered_checkpoint(tmp_path, save_model, kind, tied) -> None:
    donor, target = save_model("donor", seed=1, kind=kind, tied=tied), save_model("target", kind=kind, tied=tied)
    recover_checkpoint(donor, target, tmp_path / "whole", TOP)
    recover_checkpoint(donor, target, tmp_path / "adapter", TOP, form="adapter")
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole").state_dict()
    base = AutoModelForCausalLM.from_pretrained(target)
    merged = PeftModel.from_pretrained(base, tmp_path / "adapter").merge_and_unload().state_dict()
    assert merged.keys() == whole.keys()
    assert max(float((merged[name] - whole[name]).abs().max()) for name in whole) < 1e-5
    assert not torch.equal(
        whole["model.layers.0.mlp.up_proj.weight"], load_file(target / WEIGHTS)["model.layers.0.mlp.up_proj.weight"]
    )


def test_sharded_and_single_inputs_give_the_same_weights(tmp_path, save_model) -> None:
    for name, shard in (("single", "1GB"), ("sharded", "8KB")):
        pair = save_model(f"{name}-donor", seed=1, shard=shard), save_model(f"{name}-target", shard=shard)
        recover_checkpoint(*pair, tmp_path / name, TOP)
    single, sharded = (check_manifest(tmp_path / name) for name in ("single", "sharded"))
    assert single[WEIGHTS] == sharded[WEIGHTS]


def test_report_measures_pair_nulls_and_edit(tmp_path, save_model) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    report = recover_checkpoint(donor, target, tmp_path / "out", TOP)
    written = json.loads((tmp_path / "out" / REPORT).read_text())
    assert written == json.loads(json.dumps(report))
    assert (report["tensors_touched"], len(report["matrices"])) == (28, 28)
    medians = report["medians"]
    assert {f"{model}_left_angle_degrees" for model in ("observed", "gaussian", "spectrum_matched")} <= medians.keys()
    # Donor and target are independent draws: they differ as much as random matrices do.
    assert medians["norm_ratio"] == pytest.approx(2**0.5, rel=0.2)
    assert 0 < medians["edit_norm_ratio"] < medians["norm_ratio"]
    assert report["edit_flops"] > 0


def test_what_is_not_defined_is_null_in_the_report(tmp_path, save_model) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    for folder in (donor, target):
        spoil(folder, lambda tensors: tensors.update({NAME: torch.zeros(24, 16)}))
    recover_checkpoint(donor, target, tmp_path / "out", Edit("uv_top", knob=0.01))
    written = json.loads((tmp_path / "out" / REPORT).read_text(), parse_constant=pytest.fail)
    zero = next(one for one in written["matrices"] if one["tensor"] == NAME)
    assert zero["norm_ratio"] is None
    assert 0 < written["medians"]["observed_left_angle_degrees"] <= 90


def spoil(folder, change) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)


NAME = "model.layers.3.mlp.up_proj.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop(NAME), f"donor lacks {NAME}"),
        (lambda tensors: tensors.update({NAME: torch.zeros(5, 5)}), rf"{NAME} is \[5, 5\] in"),
        (lambda tensors: tensors.update({NAME: torch.full((24, 16), torch.nan)}), f"{NAME} holds NaN"),
        (lambda tensors: tensors.update({"lm_head.weight": torch.zeros(40, 16)}), "another vocabulary"),
    ],
)
@pytest.mark.parametrize("form", ["checkpoint", "adapter"])
def test_a_spoiled_donor_leaves_nothing_behind(tmp_path, save_model, change, message, form) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    spoil(donor, change)
    with pytest.raises(CheckpointError, match=message):
        recover_checkpoint(donor, target, tmp_path / "out", TOP, form=form)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["donor", "target"]


def test_truncated_file_is_named(tmp_path, save_model) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    content = (target / WEIGHTS).read_bytes()
    (target / WEIGHTS).write_bytes(content[:-100])
    with pytest.raises(CheckpointError, match=f"target/{WEIGHTS} is truncated"):
        recover_checkpoint(donor, target, tmp_path / "out", TOP)
    assert not (tmp_path / "out").exists()


def test_output_that_exists_is_not_touched(tmp_path, save_model) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(CheckpointError, match="already exists"):
        recover_checkpoint(donor, target, tmp_path / "out", TOP)
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_adapters_that_are_too_large_or_of_no_low_rank_are_refused(tmp_path, save_model, caplog) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    with pytest.raises(ValueError, match="times the matrix's own entries"):
        recover_checkpoint(donor, target, tmp_path / "out", Edit("uv_top", knob=0.9), form="adapter")
    for edit in (Edit("interpolation", knob=0.5), Edit("singular_values")):
        with pytest.raises(ValueError, match="is no low-rank update"):
            recover_checkpoint(donor, target, tmp_path / "out", edit, form="adapter")
    recover_checkpoint(donor, target, tmp_path / "near", TOP, form="adapter")
    assert "of the matrix's own entries" in caplog.text


def test_full_disk_is_said_before_work(tmp_path, save_model, monkeypatch) -> None:
    donor, target = save_model("donor", seed=1), save_model("target")
    usage = recover.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(recover.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(CheckpointError, match=r"needs .* GB, but .* has 0\.00 GB left"):
        recover_checkpoint(donor, target, tmp_path / "out", TOP)
