"""Writing a checkpoint folder tensor by tensor, in shards."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.checkpoints.manifest import MANIFEST, CheckpointError
from card24_pipeline.checkpoints.publishing import StagedFolder
from card24_pipeline.checkpoints.reader import ADAPTER_CONFIG, INDEX, Checkpoint

if TYPE_CHECKING:
    import torch

# Configuration, tokenizer and templates; weights of any kind, indices and notes stay behind.
CARRIED_SUFFIXES = {".json", ".model", ".txt", ".jinja"}
LEFT_BEHIND = {MANIFEST, INDEX, ADAPTER_CONFIG}


class FolderWriter(StagedFolder):
    """Writes a model's tensors into a new folder that ``from_pretrained`` opens.

    At most a shard is in memory while tensors come in the order of their names.
    """

    def __init__(self, folder: Path, *, like: Checkpoint, max_shard_bytes: int = 256 * 2**20) -> None:
        """Begin a folder where nothing stands yet.

        Args:
            folder: Where it is to stand.
            like: The checkpoint whose names, shapes, dtypes, configuration and tokenizer it takes.
            max_shard_bytes: Size of a shard, unless a single tensor is larger.
        """
        from huggingface_hub import split_state_dict_into_shards_factory

        super().__init__(folder)
        self._like = like
        self._shards = split_state_dict_into_shards_factory(
            {name: like.describe(name) for name in like.names},
            get_storage_size=lambda info: info.size,
            filename_pattern="model{suffix}.safetensors",
            max_shard_size=max_shard_bytes,
        )
        self._held: defaultdict[str, dict[str, torch.Tensor]] = defaultdict(dict)
        self._added: set[str] = set()

    def add(self, name: str, tensor: torch.Tensor) -> None:
        """Add one tensor in its dtype; raise a CheckpointError if the model has none like it or it was added before."""
        from safetensors.torch import save_file

        shape = self._like.describe(name).shape
        if tuple(tensor.shape) != shape:
            raise CheckpointError(f"{self.folder}: {name} is {list(tensor.shape)}, expected {list(shape)}")
        if name in self._added:
            raise CheckpointError(f"{self.folder}: {name} was added twice")
        self._added.add(name)
        file = self._shards.tensor_to_filename[name]
        self._held[file][name] = tensor.contiguous()
        if len(self._held[file]) == len(self._shards.filename_to_tensors[file]):
            save_file(self._held.pop(file), self.staged / file, metadata={"format": "pt"})

    def complete(self) -> None:
        """Write the index and the files beside the weights; raise a CheckpointError if a tensor is missing."""
        missing = [name for name in self._like.names if name not in self._added]
        if missing:
            raise CheckpointError(f"{self.folder} would lack {len(missing)} tensors, such as {missing[0]}")
        if self._shards.is_sharded:
            index = {"metadata": self._shards.metadata, "weight_map": self._shards.tensor_to_filename}
            (self.staged / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
        for path in sorted(self._like.folder.iterdir()):
            if path.is_file() and path.suffix in CARRIED_SUFFIXES and path.name not in LEFT_BEHIND:
                shutil.copyfile(path, self.staged / path.name)
