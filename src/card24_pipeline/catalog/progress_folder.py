"""Private progress of an interrupted stage; never an input or output that DVC knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class ProgressFolderDataset(AbstractDataset[NoReturn, Path]):
    """Hands a node the path of a folder of its own, where it keeps what a resumed run needs."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe where the folder lies.

        Args:
            filepath: Path of the folder; it need not exist.
            metadata: Ignored by Kedro; ``{dvc: {track: false}}`` keeps the folder out of ``dvc.yaml``.
        """
        self._folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """Return the folder's path, without creating it."""
        return self._folder

    def save(self, data: NoReturn) -> None:
        """Refuse: a node fills the folder itself.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"progress folder {self._folder} is no output: list it among the node's inputs")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._folder)}
