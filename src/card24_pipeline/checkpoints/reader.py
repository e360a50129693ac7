"""Reading safetensors checkpoints lazily: one tensor at a time, one open shard."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from card24_pipeline.checkpoints.manifest import CheckpointError

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER_CONFIG = "adapter_config.json"
VOCABULARY_NAMES = ("embed", "wte", "lm_head")


@dataclass(frozen=True)
class TensorInfo:
    """What a file's header says of a tensor; ``dtype`` is the name that safetensors uses, such as ``BF16``."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        width = re.search(r"\d+", self.dtype)
        return prod(self.shape) * (int(width.group()) // 8 if width else 1)


class Checkpoint:
    """A checkpoint folder whose tensors are read by name when asked for.

    Attributes:
        folder: Where it lies.
        names: Names of all tensors, sorted.
        config: The model's ``config.json``.
    """

    def __init__(self, folder: Path, files: Mapping[str, Path], infos: Mapping[str, TensorInfo]) -> None:
        """Take the file and the description of every tensor; see :func:`open_folder`."""
        self.folder = folder
        self.names = tuple(sorted(infos))
        self.config: dict[str, Any] = read_json(folder / "config.json")
        self._files = dict(files)
        self._infos = dict(infos)
        self._open: tuple[Path, Any] | None = None

    def describe(self, name: str) -> TensorInfo:
        """Return dtype and shape of a tensor, without reading it; raise a CheckpointError if there is none."""
        if name not in self._infos:
            raise CheckpointError(f"{self.folder} has no tensor {name}")
        return self._infos[name]

    def read(self, name: str) -> torch.Tensor:
        """Read a tensor in its stored dtype; raise a CheckpointError if there is none, or it holds NaN or infinity."""
        import torch

        self.describe(name)
        file = self._files[name]
        if self._open is None or self._open[0] != file:
            self.close()
            self._open = (file, _open_file(file))
        tensor = self._open[1].get_tensor(name)
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(f"{file}: tensor {name} holds NaN or infinity")
        return tensor

    def close(self) -> None:
        """Close the open shard."""
        if self._open is not None:
            self._open[1].__exit__(None, None, None)
            self._open = None

    def __enter__(self) -> Self:
        """Return the checkpoint."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the open shard."""
        self.close()


def open_folder(path: Path | str) -> Checkpoint:
    """Open a folder with one safetensors file or sharded ones; read headers only.

    Raises:
        CheckpointError: If the folder, ``config.json``, the index or a shard is missing or damaged, a tensor is not
            where the index says, or only pickled weights are there.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is no folder; a model of the hub is written hub:organisation/name")
    files: dict[str, Path]
    if (folder / INDEX).is_file():
        weight_map = read_json(folder / INDEX).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CheckpointError(f"{folder / INDEX}: expected a weight_map of tensors and files")
        files = {name: folder / Path(file).name for name, file in weight_map.items()}
    elif (folder / WEIGHTS).is_file():
        files = dict.fromkeys(read_header(folder / WEIGHTS), folder / WEIGHTS)
    else:
        pickled = sorted([*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")])
        hint = f"; {pickled[0].name} is pickled, and pickled weights are not opened" if pickled else ""
        raise CheckpointError(f"{folder} has neither {WEIGHTS} nor {INDEX}{hint}")
    headers = {file: read_header(file) for file in sorted(set(files.values()))}
    for name, file in files.items():
        if name not in headers[file]:
            raise CheckpointError(f"{file} lacks tensor {name}, though {folder / INDEX} puts it there")
    return Checkpoint(folder, files, {name: headers[file][name] for name, file in files.items()})


def read_header(file: Path) -> dict[str, TensorInfo]:
    """Return the description of every tensor of a safetensors file; raise a CheckpointError if it is none."""
    with _open_file(file) as stream:
        views = {name: stream.get_slice(name) for name in stream.keys()}  # noqa: SIM118 - no dictionary
        return {name: TensorInfo(view.get_dtype(), tuple(view.get_shape())) for name, view in views.items()}


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; raise a CheckpointError if the file is missing or holds anything else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{file} is missing") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file}: expected a JSON object")
    return content


def _open_file(file: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(file, framework="pt")
    except FileNotFoundError as error:
        raise CheckpointError(f"{file} is missing") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is truncated or not a safetensors file: {error}") from error


def count_bytes(checkpoint: Checkpoint) -> int:
    """Return the size of a checkpoint's tensors in bytes, from their headers."""
    return sum(checkpoint.describe(name).size for name in checkpoint.names)


def check_same_model(donor: Checkpoint, target: Checkpoint) -> None:
    """Check that two checkpoints hold the same tensors, by name and shape; dtypes may differ.

    Raises:
        CheckpointError: Naming folder and tensor, if one is missing on one side, has another shape, or is a matrix of
            integers, as quantised weights are.
    """
    for ours, theirs in ((donor, target), (target, donor)):
        missing = [name for name in theirs.names if name not in ours._infos]
        if missing:
            shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            raise CheckpointError(f"{ours.folder} lacks {shown}, which {theirs.folder} has")
    for name in target.names:
        given, wanted = donor.describe(name), target.describe(name)
        if given.shape != wanted.shape:
            vocabulary = "another vocabulary: " if any(part in name for part in VOCABULARY_NAMES) else ""
            raise CheckpointError(
                f"{vocabulary}{name} is {list(given.shape)} in {donor.folder}, {list(wanted.shape)} in {target.folder}"
            )
        for checkpoint, info in ((donor, given), (target, wanted)):
            if len(info.shape) == 2 and not info.dtype.startswith(("F", "BF")):
                raise CheckpointError(f"{checkpoint.folder}: {name} is {info.dtype}; expected floating-point weights")
