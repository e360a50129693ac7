"""What a store holds after a publication, a second one, and one that was cut off."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from card24_pipeline.tracking.publishing import publish_study_record
from card24_pipeline.tracking.store import TrackingStore, open_store

from .small_study import CHILDREN, make_study, make_tables

PROJECT = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from mlflow import MlflowClient
from card24_pipeline.tracking.publishing import publish_study_record
from card24_pipeline.tracking.store import TrackingStore
from tests.tracking.small_study import make_study

log_batch, calls = MlflowClient.log_batch, []

def log_or_die(self, run_id, **entities):
    calls.append(run_id)
    log_batch(self, run_id, **entities)
    if len(calls) == 8:
        os.kill(os.getpid(), signal.SIGKILL)

MlflowClient.log_batch = log_or_die
publish_study_record(make_study(Path(sys.argv[1])), TrackingStore(sys.argv[2], "tiny", "data/06_models/tiny"))
"""


def list_runs(store):
    with open_store(store) as client:
        experiment = client.get_experiment_by_name(store.experiment)
        return client.search_runs([experiment.experiment_id], max_results=1000)


def take_down(store):
    """Write down all that a user sees of a store's runs, but for their identifiers and times."""
    with open_store(store) as client:
        rows = {}
        for run in list_runs(store):
            histories = {
                name: [(found.step, found.value) for found in client.get_metric_history(run.info.run_id, name)]
                for name in ("ood_pass_at_1", "rl/reward")
                if name in run.data.metrics
            }
            files = sorted(file.path for file in client.list_artifacts(run.info.run_id))
            tags = {name: value for name, value in run.data.tags.items() if name != "mlflow.parentRunId"}
            key = tags["card24.study"], tags["card24.key"]
            assert key not in rows
            rows[key] = (run.info.status, run.data.params, run.data.metrics, tags, histories, files)
        return rows


def get_parents(runs):
    return [run for run in runs if run.data.tags["card24.kind"] == "study"]


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "report")


@pytest.fixture(scope="module")
def whole(empty_database, tmp_path_factory):
    """What an uninterrupted publication leaves."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copy(empty_database, folder / "mlflow.db")
    store = TrackingStore(f"sqlite:///{folder}/mlflow.db", "tiny", "data/06_models/tiny")
    publish_study_record(make_study(folder / "report"), store)
    return take_down(store)


class TestOnce:
    def test_parent_with_its_children(self, study, store):
        assert publish_study_record(study, store) == study.runs == CHILDREN + 1
        runs = list_runs(store)
        (parent,) = get_parents(runs)
        children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert len(children) == len(runs) - 1 == CHILDREN
        assert {run.info.status for run in runs} == {"FINISHED"}
        assert {run.data.tags["card24.study"] for run in runs} == {study.digest}

    def test_a_page_drawn_anew_takes_the_place_of_the_old(self, study, store):
        publish_study_record(study, store)
        page = study.files[0].with_name("report.html")
        for text in ("<p>first</p>", "<p>second</p>"):
            page.write_text(text, encoding="utf-8")
            assert publish_study_record(replace(study, files=(*study.files, page)), store) == 0
        (parent,) = get_parents(list_runs(store))
        with open_store(store) as client:
            copy = client.download_artifacts(parent.info.run_id, "reports/report.html")
        assert Path(copy).read_text(encoding="utf-8") == "<p>second</p>"

    def test_store_has_what_the_study_says(self, study, store):
        publish_study_record(study, store)
        rows = take_down(store)
        _, params, metrics, tags, histories, _ = rows[study.digest, "plain: ppo from step 8 (end), seed 0"]
        assert params["method"] == "ppo"
        assert metrics["ood_pass_at_1"] == pytest.approx(0.3)
        assert tags["mlflow.runName"] == "plain: ppo from step 8 (end), seed 0"
        assert histories["rl/reward"] == [(1, -2.0), (2, -1.0), (3, 0.0)]
        assert rows[study.digest, study.parent.key][-1] == ["reports", "tables"]

    def test_artifacts_lie_beside_the_database(self, study, store):
        publish_study_record(study, store)
        copies = (store.database.parent / "mlruns").rglob("*.*")
        assert {path.name for path in copies} == {"report.md", "claims.json"}

    def test_long_parameters_are_cut_and_many_are_all_there(self, tmp_path, store):
        study = make_study(tmp_path)
        many = {f"key.{number}": "x" * 7000 for number in range(150)}
        parent = type(study.parent)(study.parent.key, "study", many, ())
        publish_study_record(type(study)(study.digest, parent, (), ()), store)
        (run,) = list_runs(store)
        assert run.data.params == dict.fromkeys(many, "x" * 5999 + "…")


class TestAgain:
    def test_second_publication_changes_nothing(self, study, store):
        publish_study_record(study, store)
        before = {run.info.run_id: run.to_dictionary() for run in list_runs(store)}
        assert publish_study_record(study, store) == 0
        assert {run.info.run_id: run.to_dictionary() for run in list_runs(store)} == before

    def test_changed_metric_makes_a_new_study_and_leaves_the_old(self, study, store, tmp_path):
        publish_study_record(study, store)
        before = {run.info.run_id: run.to_dictionary() for run in list_runs(store)}
        other = make_study(tmp_path / "report", make_tables(ood_of_end=0.25))
        assert publish_study_record(other, store) == other.runs
        after = {run.info.run_id: run.to_dictionary() for run in list_runs(store)}
        assert len(get_parents(list_runs(store))) == 2
        assert len(after) == 2 * study.runs
        assert {identifier: after[identifier] for identifier in before} == before

    def test_deleted_runs_and_experiments_come_back(self, study, store, whole):
        publish_study_record(study, store)
        with open_store(store) as client:
            for run in [*get_parents(list_runs(store)), list_runs(store)[0]]:
                client.delete_run(run.info.run_id)
        publish_study_record(study, store)
        assert take_down(store) == whole
        (parent,) = get_parents(list_runs(store))
        parents = {run.data.tags.get("mlflow.parentRunId") for run in list_runs(store)}
        assert parents == {None, parent.info.run_id}
        with open_store(store) as client:
            client.delete_experiment(client.get_experiment_by_name(store.experiment).experiment_id)
        publish_study_record(study, store)
        assert take_down(store) == whole


class TestCutOff:
    @pytest.mark.parametrize("method", ["create_run", "log_batch", "log_artifact"])
    def test_error_half_way(self, study, store, whole, monkeypatch, method):
        original, calls = getattr(MlflowClient, method), []

        def fail(self, *args, **kwargs):
            calls.append(method)
            if len(calls) > (1 if method == "log_artifact" else 5):
                raise OSError("the disk is full")
            return original(self, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(MlflowClient, method, fail)
            with pytest.raises(ValueError, match=r"mlflow\.db: the disk is full"):
                publish_study_record(study, store)
        assert {run.info.status for run in get_parents(list_runs(store))} == {"RUNNING"}
        publish_study_record(study, store)
        assert take_down(store) == whole

    def test_killed_half_way(self, study, store, whole, tmp_path):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path / "report"), store.uri],
            env=os.environ | {"PYTHONPATH": f"{PROJECT / 'src'}{os.pathsep}{PROJECT}"},
            check=False,
            capture_output=True,
        )
        assert done.returncode == -signal.SIGKILL
        left = list_runs(store)
        assert 1 < len(left) < study.runs
        assert sum(run.info.status == "RUNNING" for run in left) == 2  # the parent, and the run it was killed in
        publish_study_record(study, store)
        assert take_down(store) == whole
