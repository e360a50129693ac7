"""The node, as the graph runs it."""

import shutil

import click
import pyarrow as pa
import pytest

from card24_pipeline.catalog.fan_in import FanInFrames
from card24_pipeline.pipelines.tracking.pipeline import create_pipeline
from card24_pipeline.pipelines.tracking.publish_study import publish_study
from card24_pipeline.tracking.store import TrackingStore
from tests.tracking.small_study import CHILDREN, METRICS, SEEDS, SETTINGS, make_tables, write_files

KEYS = ("seed", "sft_arm", "rl_arm", "edit_arm")


@pytest.fixture
def inputs(tmp_path):
    tables = dict(vars(make_tables()))
    frames = {"estimates": tables.pop("estimates")}
    for name, table in tables.items():
        keys = [key for key in KEYS if key in table]
        columns = {column: str(pa.array(table[column]).type) for column in table.columns if column not in keys}
        path = f"{tmp_path}/{name}_{'_'.join(f'{{{key}}}' for key in keys)}.parquet"
        frames[name] = FanInFrames(path, dict.fromkeys(keys, "all"), columns, doubles_may_be_empty=True)
        for values, part in table.groupby(keys):
            filled = path.format(**dict(zip(keys, values, strict=True)))
            part.drop(columns=keys).to_parquet(filled, index=False)
    files = {f"{path.name} file": path for path in write_files(tmp_path / "report")}
    return {**frames, "seeds": list(SEEDS), "metrics": METRICS, **SETTINGS, **files}


def make_store(path):
    return TrackingStore(f"sqlite:///{path}/mlflow.db", "tiny", "data/06_models/tiny")


def test_record_does_not_depend_on_the_store(inputs, empty_database, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        shutil.copy(empty_database, tmp_path / name / "mlflow.db")
    records = [publish_study(make_store(tmp_path / name), **inputs) for name in ("first", "second", "second")]
    assert records[0] == records[1] == records[2]
    assert records[0]["runs"] == CHILDREN + 1
    assert {"report.md", "sft_history", "estimates", "parameters"} <= set(records[0]["artifacts"])
    assert "report.html" not in records[0]["artifacts"]
    assert str(tmp_path) not in str(records[0])


def test_error_says_how_to_repeat(inputs, tmp_path):
    (tmp_path / "mlflow.db").write_text("no database")
    with pytest.raises(click.ClickException) as caught:
        publish_study(make_store(tmp_path), **inputs)
    assert str(caught.value) == (
        f"not published to MLflow: sqlite:///{tmp_path}/mlflow.db: file is not a database "
        "(to try again: kedro run --env=tiny --pipelines tracking --params=seed=all)"
    )


def test_every_file_of_findings_and_page_is_published():
    from card24_pipeline.pipelines.findings.pipeline import create_pipeline as create_findings
    from card24_pipeline.pipelines.page.pipeline import create_pipeline as create_page

    written = {name.partition("@")[0] for name in (create_findings() + create_page()).all_outputs()}
    (node,) = create_pipeline().nodes
    assert written <= {name.partition("@")[0] for name in node.inputs}
    assert written
