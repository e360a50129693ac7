"""Writing edited checkpoints: any number of edits in one pass over the tensors."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from card24_pipeline.checkpoints.folder_writer import FolderWriter
from card24_pipeline.checkpoints.reader import Checkpoint
from card24_pipeline.edits.applying import edit_tensors
from card24_pipeline.edits.edit import Edit


def write_edited(
    donors: Mapping[str, Checkpoint],
    target: Checkpoint,
    folders: Mapping[Path, Edit],
    *,
    max_shard_bytes: int = 256 * 2**20,
) -> None:
    """Write the target as each edit leaves it, every matrix being read and decomposed once for all edits.

    Args:
        donors: The donors by the names that the edits use.
        target: The checkpoint to change.
        folders: An edit for each new folder.
        max_shard_bytes: What each folder's writer may hold in memory.

    Raises:
        CheckpointError: See ``edit_tensors``; nothing is left of any folder then.
    """
    edited = edit_tensors(donors, target, list(folders.values()))
    with ExitStack() as stack:
        writers = [
            stack.enter_context(FolderWriter(folder, like=target, max_shard_bytes=max_shard_bytes))
            for folder in folders
        ]
        for one in tqdm(edited, total=len(target.names), desc="Editing", unit="tensor", mininterval=1.0):
            for writer, tensor in zip(writers, one.tensors, strict=True):
                writer.add(one.name, tensor)
