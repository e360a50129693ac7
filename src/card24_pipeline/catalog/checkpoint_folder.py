"""Checkpoint folders: whole or absent, never in between."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from uuid import uuid4

from kedro.io import AbstractDataset, DatasetError

MANIFEST_NAME = "manifest.json"


class CheckpointFolderDataset(AbstractDataset[Path, Path]):
    """A folder with a ``manifest.json`` at its top, moved into place as a whole.

    A folder of several checkpoints is the same thing with one manifest at the top.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe where the folder lies.

        Args:
            filepath: Path of the folder.
            metadata: Ignored by Kedro, read by plugins.
        """
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """Return the folder's path.

        Raises:
            DatasetError: When the folder or its manifest is missing.
        """
        if not self._folder.is_dir():
            raise DatasetError(f"checkpoint folder {self._folder} is missing: run the node that writes it")
        if not (self._folder / MANIFEST_NAME).is_file():
            raise DatasetError(f"checkpoint folder {self._folder} has no {MANIFEST_NAME}: it is not whole")
        return self._folder

    def save(self, data: Path) -> None:
        """Move a staged folder into place, replacing what was there.

        The staged folder first comes beside its destination, on the same file system, so that the last step
        is a rename: whoever looks sees the old folder, none, or the new one whole.

        Args:
            data: A finished folder; it is gone from there afterwards.

        Raises:
            DatasetError: When it is no folder or has no manifest, or is the destination itself.
        """
        staged = Path(data)
        if not (staged / MANIFEST_NAME).is_file():
            raise DatasetError(f"staged folder {staged} has no {MANIFEST_NAME}: refusing to save a half-written one")
        if staged.resolve() == self._folder.resolve():
            raise DatasetError(f"{staged} is the destination itself: stage the folder somewhere else")
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        incoming = self._sibling("incoming")
        outgoing = self._sibling("outgoing")
        self._remove_leftovers()
        shutil.move(staged, incoming)
        if self._folder.exists():
            self._folder.replace(outgoing)
        incoming.replace(self._folder)
        shutil.rmtree(outgoing, ignore_errors=True)

    def _sibling(self, role: str) -> Path:
        return self._folder.with_name(f".{self._folder.name}.{role}-{uuid4().hex[:8]}")

    def _remove_leftovers(self) -> None:
        for role in ("incoming", "outgoing"):
            for leftover in self._folder.parent.glob(f".{self._folder.name}.{role}-*"):
                shutil.rmtree(leftover, ignore_errors=True)

    def _exists(self) -> bool:
        return (self._folder / MANIFEST_NAME).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}
