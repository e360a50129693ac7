import shutil

import pytest

from card24_pipeline.tracking.store import SQLITE, TrackingStore


@pytest.fixture
def store(empty_database, tmp_path):
    """A store of its own for each test."""
    path = tmp_path / "store" / "mlflow.db"
    path.parent.mkdir()
    shutil.copy(empty_database, path)
    return TrackingStore(f"{SQLITE}{path}", "tiny", "data/06_models/tiny")
