from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM

from card24_pipeline.checkpoints.folder_writer import FolderWriter
from card24_pipeline.checkpoints.manifest import CheckpointError, check_manifest
from card24_pipeline.checkpoints.reader import INDEX, WEIGHTS, open_folder


def copy(source, folder, **settings) -> None:
    with open_folder(source) as like, FolderWriter(folder, like=like, **settings) as writer:
        for name in like.names:
            writer.add(name, like.read(name))


@pytest.mark.parametrize(("kind", "tied"), [("llama", False), ("llama", True), ("qwen2", True)])
@pytest.mark.parametrize("max_shard_bytes", [2**30, 6000], ids=["single", "sharded"])
def test_library_opens_what_is_written(tmp_path, save_model, kind, tied, max_shard_bytes) -> None:
    source, copied = save_model("source", kind=kind, tied=tied), tmp_path / "copy"
    copy(source, copied, max_shard_bytes=max_shard_bytes)
    assert (copied / INDEX).exists() == (not (copied / WEIGHTS).exists()) == (max_shard_bytes < 2**30)
    check_manifest(copied)
    wanted, found = (AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in (source, copied))
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_sharded_and_single_inputs_give_the_same_bytes(tmp_path, save_model) -> None:
    for name, shard in (("single", "1GB"), ("sharded", "8KB")):
        copy(save_model(name, shard=shard), tmp_path / f"{name}-copy", max_shard_bytes=9000)
    assert check_manifest(tmp_path / "single-copy") == check_manifest(tmp_path / "sharded-copy")
    assert len(list((tmp_path / "single-copy").glob("*.safetensors"))) > 2


def add_all(like, folder, tensors) -> None:
    with FolderWriter(folder, like=like) as writer:
        for name, tensor in tensors:
            writer.add(name, tensor)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda tensors: tensors[:1], "would lack"),
        (lambda tensors: [(tensors[0][0], torch.zeros(2))], r"is \[2\], expected"),
        (lambda tensors: tensors[:1] * 2, "added twice"),
    ],
)
def test_nothing_is_left_after_a_failure(tmp_path, save_model, spoil, message) -> None:
    with open_folder(save_model("source")) as like:
        tensors = spoil([(name, like.read(name)) for name in like.names])
        with pytest.raises(CheckpointError, match=message):
            add_all(like, tmp_path / "copy", tensors)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_what_stands_there_stays(tmp_path, save_model) -> None:
    source = save_model("source")
    before = (source / WEIGHTS).read_bytes()
    with open_folder(source) as like, pytest.raises(CheckpointError, match="already exists"):
        FolderWriter(source, like=like)
    assert (source / WEIGHTS).read_bytes() == before
