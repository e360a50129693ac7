"""Opening whatever holds a checkpoint: a folder of weights, or an adapter on its base."""

from pathlib import Path

from card24_pipeline.checkpoints.lora import find_base, open_adapter
from card24_pipeline.checkpoints.reader import ADAPTER_CONFIG, Checkpoint, open_folder


def open_checkpoint(path: Path | str, *, base: Path | str | None = None) -> Checkpoint:
    """Open a folder of weights (see :func:`open_folder`) or a LoRA adapter on its base; headers only are read.

    Args:
        path: The folder.
        base: Folder of an adapter's base model; without it, the one that the adapter's configuration names.

    Raises:
        CheckpointError: If the folder or the base is missing, damaged or of a kind that is not supported.
    """
    folder = Path(path).expanduser()
    if not (folder / ADAPTER_CONFIG).is_file():
        return open_folder(folder)
    return open_adapter(folder, open_checkpoint(find_base(folder, base)))
