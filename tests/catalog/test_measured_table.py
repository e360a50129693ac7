import math

import pandas as pd
import pytest
from kedro.io import DatasetError

from card24_pipeline.catalog.measured_table import MeasuredTableDataset

COLUMNS = {"update": "int64", "value_loss": "double", "reward": "double"}


def test_figures_that_were_not_measured_come_back_as_nan(tmp_path):
    dataset = MeasuredTableDataset(filepath=str(tmp_path / "history.parquet"), columns=COLUMNS)
    dataset.save(pd.DataFrame({"update": [1, 2], "value_loss": [math.nan, math.nan], "reward": [0.5, 1.5]}))
    loaded = dataset.load()
    assert loaded["value_loss"].isna().all()
    assert str(loaded["value_loss"].dtype) == "float64"
    assert loaded["reward"].tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"update": [1, None]}, "column 'update' has 1 empty"), ({"reward": ["a", "b"]}, "reward")],
)
def test_everything_else_is_still_checked(tmp_path, change, message):
    path = tmp_path / "history.parquet"
    frame = pd.DataFrame({"update": [1, 2], "value_loss": [0.0, 0.0], "reward": [0.5, 1.5]}).assign(**change)
    frame = frame.astype({"update": "Int64"})
    with pytest.raises(DatasetError, match=message):
        MeasuredTableDataset(filepath=str(path), columns=COLUMNS).save(frame)
    assert not path.exists()
