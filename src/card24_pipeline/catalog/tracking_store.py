"""The store that studies are published to, as the catalog names it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from card24_pipeline.tracking.store import SQLITE, TrackingStore

URI_VARIABLE = "MLFLOW_TRACKING_URI"


class TrackingStoreDataset(AbstractDataset[NoReturn, TrackingStore]):
    """Hands a node MLflow's store: that of ``MLFLOW_TRACKING_URI``, or else a database file."""

    def __init__(self, *, filepath: str, scale: str, checkpoints: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the store.

        Args:
            filepath: Path of the SQLite database; it need not exist.
            scale: Name of the scale, after which the experiment is called.
            checkpoints: Folder of the scale's models, to which runs refer.
            metadata: Ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self._scale = scale
        self._checkpoints = checkpoints
        self.metadata = metadata

    def load(self) -> TrackingStore:
        """Return where to publish; nothing is opened yet."""
        uri = os.environ.get(URI_VARIABLE) or f"{SQLITE}{self._filepath.as_posix()}"
        return TrackingStore(uri, self._scale, self._checkpoints)

    def save(self, data: NoReturn) -> None:
        """Refuse: a node publishes to the store itself.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{self._filepath} is no output: publish to it through the node that takes the store")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "scale": self._scale}
