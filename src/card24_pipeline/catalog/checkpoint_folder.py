"""Checkpoint folders: whole or absent, never in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from card24_pipeline.checkpoints.manifest import MANIFEST, CheckpointError
from card24_pipeline.checkpoints.publishing import publish_folder


class CheckpointFolderDataset(AbstractDataset[Path, Path]):
    """A folder with a manifest at its top, of one checkpoint or of several, moved into place as a whole."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Take the folder's path; ``metadata`` is for plugins."""
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """Return the folder's path; raise a DatasetError when the folder or its manifest is missing."""
        if not self._folder.is_dir():
            raise DatasetError(f"checkpoint folder {self._folder} is missing: run the node that writes it")
        if not self._exists():
            raise DatasetError(f"checkpoint folder {self._folder} has no {MANIFEST}: it is not whole")
        return self._folder

    def save(self, data: Path) -> None:
        """Move a finished folder into place, replacing what was there.

        Raises:
            DatasetError: When it is not complete, or is the destination itself.
        """
        try:
            publish_folder(data, self._folder)
        except CheckpointError as error:
            raise DatasetError(str(error)) from error

    def _exists(self) -> bool:
        return (self._folder / MANIFEST).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}
