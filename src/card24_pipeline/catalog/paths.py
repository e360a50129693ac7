"""What a node is handed but never saves."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NoReturn

from kedro.io import AbstractDataset, DatasetError


class ReadOnlyDataset(AbstractDataset[NoReturn, Any]):
    """Hands a node the path of a file or folder, whether or not it is there.

    Attributes:
        remedy: What to do instead of saving.
    """

    remedy: ClassVar[str]

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Take the path; ``metadata`` is for plugins."""
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Any:
        """Return the path."""
        return self._filepath

    def save(self, data: NoReturn) -> None:
        """Refuse with a DatasetError."""
        raise DatasetError(f"{self._filepath} is read-only here: {self.remedy}")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class FilePathDataset(ReadOnlyDataset):
    """The path of a file that its transcoded twin writes; the node says what its absence means."""

    remedy = "write it through its own dataset"


class ProgressFolderDataset(ReadOnlyDataset):
    """The path of a node's own folder, where it keeps what a resumed run needs.

    ``metadata: {dvc: {track: false}}`` keeps the folder out of ``dvc.yaml``.
    """

    remedy = "it is no output, list it among the node's inputs"
