"""The node, as the graph runs it."""

import shutil

import click
import pytest

from card24_pipeline.catalog.per_seed import SeedFrames
from card24_pipeline.pipelines.tracking.pipeline import create_pipeline
from card24_pipeline.pipelines.tracking.publish_study import publish_study
from card24_pipeline.tracking.store import TrackingStore
from tests.tracking.small_study import CHILDREN, SEEDS, SETTINGS, make_tables, write_files


@pytest.fixture
def inputs(tmp_path):
    tables = make_tables().list_named()
    tables["spectra_bands"] = tables.pop("spectra")
    frames = {"base_scores": tables.pop("base_scores")}
    for name, table in tables.items():
        frames[name] = SeedFrames(f"{tmp_path}/{name}_{{seed}}.parquet", "all")
        for seed in SEEDS:
            table[table["seed"] == seed].drop(columns="seed").to_parquet(tmp_path / f"{name}_{seed}.parquet")
    files = {f"{path.name} file": path for path in write_files(tmp_path / "report")}
    return {**frames, "seeds": list(SEEDS), **SETTINGS, **files}


def make_store(path):
    return TrackingStore(f"sqlite:///{path}/mlflow.db", "tiny", "data/06_models/tiny")


def test_record_does_not_depend_on_the_store(inputs, empty_database, tmp_path):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        shutil.copy(empty_database, tmp_path / name / "mlflow.db")
    records = [publish_study(make_store(tmp_path / name), **inputs) for name in ("first", "second", "second")]
    assert records[0] == records[1] == records[2]
    assert records[0]["runs"] == CHILDREN + 1
    assert {"report.md", "sft_history", "spectra", "parameters"} <= set(records[0]["artifacts"])
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


def test_every_report_file_is_published():
    """Each file of a report has its place among the inputs of the one node."""
    from card24_pipeline.pipelines.report.pipeline import create_pipeline as create_reports

    written = {name.partition("@")[0] for name in create_reports().all_outputs()}
    (node,) = create_pipeline().nodes
    published = {name.partition("@")[0] for name in node.inputs}
    assert written - published <= {"study_metrics"}
    assert written
