from pathlib import Path

import pytest
from kedro.io import DatasetError

from card24_pipeline.catalog.paths import FilePathDataset


def test_hands_over_the_path_whether_or_not_the_file_is_there(tmp_path):
    dataset = FilePathDataset(filepath=str(tmp_path / "figure.png"))
    assert dataset.exists()
    assert dataset.load() == Path(tmp_path / "figure.png")


def test_is_read_only(tmp_path):
    with pytest.raises(DatasetError, match="read-only"):
        FilePathDataset(filepath=str(tmp_path / "figure.png")).save("text")
