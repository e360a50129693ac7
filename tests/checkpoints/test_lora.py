from __future__ import annotations

import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from card24_pipeline.checkpoints.lora import AdapterWriter
from card24_pipeline.checkpoints.manifest import CheckpointError, check_manifest
from card24_pipeline.checkpoints.opening import open_checkpoint
from card24_pipeline.checkpoints.reader import ADAPTER_CONFIG

TOLERANCE = 1e-5


def draw_update(shape, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(shape[0], rank), torch.randn(rank, shape[1])


def test_peft_merges_exactly_what_was_written(tmp_path, save_model) -> None:
    # Twelve layers, so that layers.1 and layers.11 are told apart.
    source = save_model("target", num_hidden_layers=12)
    torch.manual_seed(1)
    updates = {}
    with open_checkpoint(source) as target, AdapterWriter(tmp_path / "adapter", target=target) as writer:
        for layer, rank in ((0, 1), (1, 2), (11, 5)):
            for kind in ("self_attn.q_proj", "mlp.up_proj"):
                name = f"model.layers.{layer}.{kind}.weight"
                updates[name] = draw_update(target.describe(name).shape, rank + (kind == "mlp.up_proj"))
                writer.add(name, *updates[name])
        writer.add("model.layers.3.mlp.up_proj.weight", *draw_update((24, 16), 0))
    check_manifest(tmp_path / "adapter")
    model = AutoModelForCausalLM.from_pretrained(source)
    wanted = {name: weight.clone() for name, weight in model.state_dict().items()}
    for name, (left, right) in updates.items():
        wanted[name] += left @ right
    merged = PeftModel.from_pretrained(model, tmp_path / "adapter").merge_and_unload().state_dict()
    assert merged.keys() == wanted.keys()
    assert all(torch.allclose(merged[name], wanted[name], atol=TOLERANCE) for name in wanted)
    with open_checkpoint(tmp_path / "adapter") as read:
        assert all(torch.allclose(read.read(name), wanted[name], atol=TOLERANCE) for name in read.names)


@pytest.mark.parametrize("settings", [{}, {"use_rslora": True}, {"rank_pattern": {"layers.1.mlp.up_proj": 4}}], ids=str)
def test_reads_adapters_that_peft_wrote(tmp_path, save_model, settings) -> None:
    source = save_model("base")
    torch.manual_seed(2)
    config = LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj", "up_proj"], init_lora_weights=False, **settings)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(source), config)
    model.save_pretrained(tmp_path / "adapter")
    wanted = model.merge_and_unload().state_dict()
    with open_checkpoint(tmp_path / "adapter", base=source) as read:
        assert all(torch.allclose(read.read(name), wanted[name], atol=TOLERANCE) for name in read.names)


def test_adapters_that_are_more_than_low_rank_are_refused(tmp_path, save_model) -> None:
    source = save_model("base")
    config = LoraConfig(r=2, target_modules=["q_proj"], use_dora=True)
    get_peft_model(AutoModelForCausalLM.from_pretrained(source), config).save_pretrained(tmp_path / "adapter")
    with pytest.raises(CheckpointError, match="use_dora True is not supported"):
        open_checkpoint(tmp_path / "adapter", base=source)


def test_adapter_without_its_base_says_so(tmp_path, save_model) -> None:
    source = save_model("base")
    with open_checkpoint(source) as target, AdapterWriter(tmp_path / "adapter", target=target) as writer:
        writer.add("model.layers.0.mlp.up_proj.weight", *draw_update((24, 16), 1))
    config = json.loads((tmp_path / "adapter" / ADAPTER_CONFIG).read_text())
    (tmp_path / "adapter" / ADAPTER_CONFIG).write_text(json.dumps(config | {"base_model_name_or_path": "gone"}))
    with pytest.raises(CheckpointError, match="base model gone is no folder"):
        open_checkpoint(tmp_path / "adapter")


def test_an_adapter_on_an_adapter_is_read_with_both(tmp_path, save_model) -> None:
    source, name = save_model("base"), "model.layers.0.mlp.up_proj.weight"
    torch.manual_seed(3)
    first, second = (draw_update((24, 16), rank) for rank in (1, 2))
    for adapter, update in (("first", first), ("second", second)):
        with open_checkpoint(source) as target, AdapterWriter(tmp_path / adapter, target=target) as writer:
            writer.add(name, *update)
    with open_checkpoint(source) as plain, open_checkpoint(tmp_path / "second", base=tmp_path / "first") as read:
        wanted = plain.read(name) + first[0] @ first[1] + second[0] @ second[1]
        assert torch.allclose(read.read(name), wanted, atol=TOLERANCE)


def test_no_update_or_a_wrong_one_leaves_nothing(tmp_path, save_model) -> None:
    with open_checkpoint(save_model("base")) as target:
        with pytest.raises(CheckpointError, match="would hold no update"), AdapterWriter(tmp_path / "a", target=target):
            pass
        with pytest.raises(CheckpointError, match="takes no update"), AdapterWriter(tmp_path / "a", target=target) as w:
            w.add("model.layers.0.mlp.up_proj.weight", *draw_update((16, 24), 1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base"]
