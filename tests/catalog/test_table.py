import math

import pandas as pd
import pytest
from kedro.io import DatasetError

from card24_pipeline.catalog.table import TableDataset

COLUMNS = {"split": "string", "values": "list<int64>", "passed": "bool", "loss": "double"}


def make_frame():
    return pd.DataFrame({"split": ["sft", "ood"], "values": [[1, 2], [3]], "passed": [True, False], "loss": [0.5, 1.0]})


def test_round_trip_keeps_values_and_writes_equal_bytes(tmp_path):
    paths = [tmp_path / "deep" / name for name in ("a.parquet", "b.parquet")]
    for path in paths:
        TableDataset(filepath=str(path), columns=COLUMNS).save(make_frame())
    loaded = TableDataset(filepath=str(paths[0]), columns=COLUMNS).load()
    assert [list(values) for values in loaded["values"]] == [[1, 2], [3]]
    pd.testing.assert_frame_equal(loaded.drop(columns="values"), make_frame().drop(columns="values"))
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="split"), r"missing \['split'\]"),
        (lambda frame: frame.assign(extra=1), r"unexpected \['extra'\]"),
        (lambda frame: frame.assign(loss=["a", "b"]), "loss"),
        (lambda frame: frame.assign(split=["sft", None]), "column 'split' has 1 empty"),
    ],
)
def test_a_frame_that_breaks_the_schema_is_refused_and_leaves_the_old_file(tmp_path, change, message):
    path = tmp_path / "table.parquet"
    dataset = TableDataset(filepath=str(path), columns=COLUMNS)
    dataset.save(make_frame())
    before = path.read_bytes()
    with pytest.raises(DatasetError, match=message) as caught:
        dataset.save(change(make_frame()))
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_reading_names_the_file_and_the_column(tmp_path):
    path = tmp_path / "table.parquet"
    with pytest.raises(DatasetError, match="is missing"):
        TableDataset(filepath=str(path), columns=COLUMNS).load()
    path.write_bytes(b"no parquet")
    with pytest.raises(DatasetError, match=r"table\.parquet is no readable parquet file"):
        TableDataset(filepath=str(path), columns=COLUMNS).load()
    make_frame().assign(loss=[1, 2]).to_parquet(path, index=False)
    with pytest.raises(DatasetError, match="column 'loss' is int64, expected double"):
        TableDataset(filepath=str(path), columns={**COLUMNS, "split": "large_string"}).load()


HISTORY = {"update": "int64", "value_loss": "double", "reward": "double"}


def make_history(tmp_path):
    frame = pd.DataFrame({"update": [1, 2], "value_loss": [math.nan, math.nan], "reward": [0.5, 1.5]})
    return frame, TableDataset(filepath=str(tmp_path / "a.parquet"), columns=HISTORY, doubles_may_be_empty=True)


def test_figures_that_were_not_measured_come_back_as_nan_where_allowed(tmp_path):
    frame, dataset = make_history(tmp_path)
    dataset.save(frame)
    loaded = dataset.load()
    assert loaded["value_loss"].isna().all()
    assert str(loaded["value_loss"].dtype) == "float64"
    assert loaded["reward"].tolist() == [0.5, 1.5]
    with pytest.raises(DatasetError, match="column 'value_loss' has 2 empty"):
        TableDataset(filepath=str(tmp_path / "a.parquet"), columns=HISTORY).load()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"update": [1, None]}, "column 'update' has 1 empty"), ({"reward": ["a", "b"]}, "reward")],
)
def test_everything_else_is_still_checked(tmp_path, change, message):
    frame, dataset = make_history(tmp_path)
    with pytest.raises(DatasetError, match=message):
        dataset.save(frame.assign(**change).astype({"update": "Int64"}))
    assert not dataset.exists()
