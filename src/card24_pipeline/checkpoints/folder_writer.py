"""Writing a checkpoint folder tensor by tensor, in shards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.checkpoints.manifest import MANIFEST, CheckpointError
from card24_pipeline.checkpoints.publishing import StagedFolder
from card24_pipeline.checkpoints.reader import ADAPTER_CONFIG, INDEX, WEIGHTS, Checkpoint

if TYPE_CHECKING:
    import torch

# Configuration, tokenizer and templates; weights of any kind, indices and notes stay behind.
CARRIED_SUFFIXES = {".json", ".model", ".txt", ".jinja"}
LEFT_BEHIND = {MANIFEST, INDEX, ADAPTER_CONFIG}


class FolderWriter(StagedFolder):
    """Writes a model's tensors into a new folder that ``from_pretrained`` opens; at most a shard is in memory."""

    def __init__(self, folder: Path, *, like: Checkpoint, max_shard_bytes: int = 256 * 2**20) -> None:
        """Begin a folder where nothing stands yet.

        Args:
            folder: Where it is to stand.
            like: The checkpoint whose names, shapes, configuration and tokenizer it takes.
            max_shard_bytes: Size of a shard, unless a single tensor is larger.
        """
        super().__init__(folder)
        self._like = like
        self._max_shard_bytes = max_shard_bytes
        self._held: dict[str, torch.Tensor] = {}
        self._held_bytes = 0
        self._total_bytes = 0
        self._shards: list[list[str]] = []

    def add(self, name: str, tensor: torch.Tensor) -> None:
        """Add one tensor in its dtype; raise a CheckpointError if the model has none like it or it was added before."""
        shape = self._like.describe(name).shape
        if tuple(tensor.shape) != shape:
            raise CheckpointError(f"{self.folder}: {name} is {list(tensor.shape)}, expected {list(shape)}")
        if name in self._held or any(name in shard for shard in self._shards):
            raise CheckpointError(f"{self.folder}: {name} was added twice")
        size = tensor.numel() * tensor.element_size()
        if self._held and self._held_bytes + size > self._max_shard_bytes:
            self._write_shard()
        self._held[name] = tensor.contiguous()
        self._held_bytes += size

    def complete(self) -> None:
        """Write the last shard, the index and the files beside the weights; raise an error if a tensor is missing."""
        if self._held:
            self._write_shard()
        added = {name for shard in self._shards for name in shard}
        missing = [name for name in self._like.names if name not in added]
        if missing:
            raise CheckpointError(f"{self.folder} would lack {len(missing)} tensors, such as {missing[0]}")
        self._name_shards()
        for path in sorted(self._like.folder.iterdir()):
            if path.is_file() and path.suffix in CARRIED_SUFFIXES and path.name not in LEFT_BEHIND:
                shutil.copyfile(path, self.staged / path.name)

    def _write_shard(self) -> None:
        from safetensors.torch import save_file

        save_file(self._held, self.staged / f"shard-{len(self._shards)}", metadata={"format": "pt"})
        self._shards.append(list(self._held))
        self._total_bytes += self._held_bytes
        self._held, self._held_bytes = {}, 0

    def _name_shards(self) -> None:
        """Give the shards the names that the hub uses, now that their number is known."""
        count = len(self._shards)
        if count == 1:
            (self.staged / "shard-0").rename(self.staged / WEIGHTS)
            return
        weight_map: dict[str, str] = {}
        for number, names in enumerate(self._shards):
            file = f"model-{number + 1:05}-of-{count:05}.safetensors"
            (self.staged / f"shard-{number}").rename(self.staged / file)
            weight_map |= dict.fromkeys(names, file)
        index = {"metadata": {"total_size": self._total_bytes}, "weight_map": dict(sorted(weight_map.items()))}
        (self.staged / INDEX).write_text(json.dumps(index, indent=2) + "\n")
