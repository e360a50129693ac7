"""The store that studies are published to, as the catalog names it."""

from __future__ import annotations

import os
from typing import Any

from card24_pipeline.catalog.paths import ReadOnlyDataset
from card24_pipeline.tracking.store import SQLITE, TrackingStore

URI_VARIABLE = "MLFLOW_TRACKING_URI"


class TrackingStoreDataset(ReadOnlyDataset):
    """Hands a node MLflow's store: that of ``MLFLOW_TRACKING_URI``, or else a database file."""

    remedy = "publish to it through the node that takes the store"

    def __init__(self, *, filepath: str, scale: str, checkpoints: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the store.

        Args:
            filepath: Path of the SQLite database; it need not exist.
            scale: Name of the scale, after which the experiment is called.
            checkpoints: Folder of the scale's models, to which runs refer.
            metadata: Ignored by Kedro, read by plugins.
        """
        super().__init__(filepath=filepath, metadata=metadata)
        self._scale = scale
        self._checkpoints = checkpoints

    def load(self) -> TrackingStore:
        """Return where to publish; nothing is opened yet."""
        uri = os.environ.get(URI_VARIABLE) or f"{SQLITE}{self._filepath.as_posix()}"
        return TrackingStore(uri, self._scale, self._checkpoints)
