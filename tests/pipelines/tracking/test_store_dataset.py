import pytest
from kedro.io import DatasetError

from card24_pipeline.pipelines.tracking.store_dataset import TrackingStoreDataset


@pytest.fixture
def dataset(tmp_path):
    return TrackingStoreDataset(filepath=str(tmp_path / "mlflow.db"), scale="tiny", checkpoints="data/06_models/tiny")


def test_database_of_the_project_by_default(dataset, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    store = dataset.load()
    assert store.uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert store.experiment == "card24/tiny"
    assert store.artifact_location == f"file://{tmp_path}/mlruns/card24/tiny"


def test_environment_names_another(dataset, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert dataset.load().uri == "http://127.0.0.1:5000"


def test_is_no_output(dataset):
    with pytest.raises(DatasetError, match=r"mlflow\.db is read-only"):
        dataset.save("study")
