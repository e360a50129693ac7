"""A file that another dataset writes, handed over as its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class FilePathDataset(AbstractDataset[NoReturn, Path]):
    """Hands a node the path of a file, for those that copy files or can do without some; its transcoded twin writes it.

    The file need not exist: the node says what its absence means.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe where the file lies.

        Args:
            filepath: Path of the file.
            metadata: Ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """Return the file's path."""
        return self._filepath

    def save(self, data: NoReturn) -> None:
        """Refuse: the twin writes the file.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{self._filepath} is read-only here: write it through its own dataset")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
