from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.reader import INDEX, WEIGHTS, check_same_model, open_folder

NAME = "model.layers.1.mlp.up_proj.weight"


def test_sharded_and_single_files_read_alike(save_model) -> None:
    single, sharded = save_model("single"), save_model("sharded", shard="8KB")
    assert len(list(sharded.glob("*.safetensors"))) > 2
    with open_folder(single) as one, open_folder(sharded) as many:
        assert one.names == many.names
        assert all(torch.equal(one.read(name), many.read(name)) for name in one.names)
        assert one.describe(NAME) == many.describe(NAME)
        assert one.describe(NAME).shape == (24, 16)
        assert one.describe(NAME).dtype == "F32"
        check_same_model(one, many)


def test_says_what_is_missing(tmp_path, save_model) -> None:
    with pytest.raises(CheckpointError, match="is no folder; a model of the hub is written hub:"):
        open_folder(tmp_path / "nowhere")
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "pytorch_model.bin").touch()
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin is pickled"):
        open_folder(pickled)
    with open_folder(save_model("whole")) as checkpoint, pytest.raises(CheckpointError, match="no tensor nothing"):
        checkpoint.read("nothing")


def test_missing_and_truncated_shards_are_named(save_model) -> None:
    folder = save_model("sharded", shard="8KB")
    shard = sorted(folder.glob("*.safetensors"))[1]
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=f"{shard.name} is truncated"):
        open_folder(folder)
    shard.unlink()
    with pytest.raises(CheckpointError, match=f"{shard.name} is missing"):
        open_folder(folder)


def test_index_must_agree_with_its_shards(save_model) -> None:
    folder = save_model("sharded", shard="8KB")
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["made.up"] = next(iter(index["weight_map"].values()))
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"lacks tensor made\.up"):
        open_folder(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_finite_numbers_are_refused_by_file_and_tensor(save_model, value) -> None:
    folder = save_model("model")
    tensors = load_file(folder / WEIGHTS)
    tensors[NAME][0, 0] = value
    save_file(tensors, folder / WEIGHTS)
    with open_folder(folder) as checkpoint, pytest.raises(CheckpointError, match=f"{WEIGHTS}: tensor {NAME} holds"):
        checkpoint.read(NAME)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"num_hidden_layers": 3}, r"donor lacks model\.layers\.3"),
        ({"intermediate_size": 32}, r"mlp\.down_proj\.weight is \[16, 32\] in .*donor, \[16, 24\] in .*target"),
        ({"vocab_size": 40}, r"another vocabulary: .*\[40, 16\]"),
    ],
)
def test_other_models_are_refused_by_tensor(save_model, sizes, message) -> None:
    donor, target = save_model("donor", **sizes), save_model("target")
    with open_folder(donor) as one, open_folder(target) as other, pytest.raises(CheckpointError, match=message):
        check_same_model(one, other)


def test_quantised_weights_are_refused(save_model) -> None:
    folder = save_model("model")
    tensors = load_file(folder / WEIGHTS)
    tensors[NAME] = tensors[NAME].to(torch.int8)
    save_file(tensors, folder / WEIGHTS)
    with open_folder(folder) as one, pytest.raises(CheckpointError, match="is I8; expected floating-point"):
        check_same_model(one, one)
