"""Folders that are filled beside their place and appear there when whole."""

import os
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from card24_pipeline.checkpoints.manifest import CheckpointError, check_manifest, write_manifest


def publish_folder(staged: Path, target: Path) -> None:
    """Move a finished folder to its final place, replacing what stood there.

    What stood there is moved aside first and removed last: whenever the run is killed, the old folder or the new one
    is whole, if not at its place then beside it, as ``.<name>.old`` or ``.<name>.new``. From another file system,
    ``staged`` is copied beside ``target`` first.

    Raises:
        CheckpointError: If ``staged`` is not complete, or is the target itself.
    """
    check_manifest(staged)
    if staged.resolve() == target.resolve():
        raise CheckpointError(f"{staged} is the destination itself: stage the folder somewhere else")
    target.parent.mkdir(parents=True, exist_ok=True)
    new, old = (target.with_name(f".{target.name}.{age}") for age in ("new", "old"))
    shutil.rmtree(new, ignore_errors=True)
    shutil.move(staged, new)
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(target, old)
    os.replace(new, target)
    shutil.rmtree(old, ignore_errors=True)


def stage_folder(target: Path) -> Path:
    """Return a new empty folder beside ``target``, in which to prepare it."""
    staged = target.with_name(f".{target.name}.partial")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    return staged


def check_vacant(folder: Path) -> None:
    """Raise a CheckpointError if the path is a file or a folder with anything in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} already exists: name a folder that does not, or remove it")


class StagedFolder(ABC):
    """Context manager: publishes the folder on a clean exit, leaves nothing of it after an exception.

    Attributes:
        folder: Where it is to stand.
        staged: Where it is being filled; further small files may be put there.
    """

    def __init__(self, folder: Path) -> None:
        """Begin an empty staged folder; raise a CheckpointError if something already stands at its place."""
        check_vacant(folder)
        self.folder = folder
        self.staged = stage_folder(folder)

    @abstractmethod
    def complete(self) -> None:
        """Write what is still held in memory."""

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish, or clear away what was staged."""
        try:
            if kind is None:
                self.complete()
                write_manifest(self.staged)
                publish_folder(self.staged, self.folder)
        finally:
            shutil.rmtree(self.staged, ignore_errors=True)
