"""A new folder that is filled beside its place and moved there when whole."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from card24_pipeline.checkpoints.manifest import CheckpointError, publish_folder, write_manifest


class StagedFolder(ABC):
    """Context manager: publishes the folder on a clean exit, leaves nothing of it after an exception.

    Attributes:
        folder: Where it is to stand.
        staged: Where it is being filled; further small files may be put there.
    """

    def __init__(self, folder: Path) -> None:
        """Begin an empty staged folder.

        Raises:
            CheckpointError: If something already stands at its place.
        """
        check_vacant(folder)
        self.folder = folder
        self.staged = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(self.staged, ignore_errors=True)
        self.staged.mkdir(parents=True)

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
                if self.folder.exists():
                    self.folder.rmdir()  # empty, as checked
                publish_folder(self.staged, self.folder)
        finally:
            shutil.rmtree(self.staged, ignore_errors=True)


def check_vacant(folder: Path) -> None:
    """Check that nothing would be overwritten.

    Raises:
        CheckpointError: If the path is a file or a folder with anything in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} already exists: name a folder that does not, or remove it")
