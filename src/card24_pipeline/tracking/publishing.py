"""Publishing a study so that doing it again, or after a crash, changes nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from card24_pipeline.tracking.records import PAGE_SUFFIX, RunRecord, StudyRecord
from card24_pipeline.tracking.store import TrackingStore, open_store, prepare_experiment

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

STUDY_TAG, KEY_TAG, KIND_TAG = "card24.study", "card24.key", "card24.kind"
PARENT_TAG = "mlflow.parentRunId"
FINISHED, DELETED = "FINISHED", "deleted"

# MLflow's limits.
RUNS_PER_PAGE = 1000
METRICS_PER_CALL = 1000
PARAMS_PER_CALL = 100
PARAM_LENGTH = 6000
TAG_LENGTH = 8000

FOLDERS = {".png": "figures", ".md": "reports", ".html": "reports"}
OTHER_FOLDER = "tables"


def publish_study_record(study: StudyRecord, store: TrackingStore) -> int:
    """Publish a study, but for what of it is there already, and return how many runs were written.

    Its runs are found by their tags, so a second publication writes nothing, one after a crash goes on with the runs
    that are missing or unfinished, and another study, whose digest is another, is left as it is.

    Raises:
        PublishingError: If the store cannot be reached, read or written.
    """
    with open_store(store) as client:
        return _Publication(client, prepare_experiment(client, store), study.digest).publish(study)


class _Publication:
    """One study on its way into an experiment."""

    def __init__(self, client: MlflowClient, experiment: str, digest: str) -> None:
        self._client, self._experiment, self._digest = client, experiment, digest
        self._found = self._find_runs()

    def publish(self, study: StudyRecord) -> int:
        from tqdm.auto import tqdm

        # The parent is finished last: while it is not, the study is not whole.
        parent = self._open_run(study.parent)
        whole = {key: run for key, run in self._found.items() if run.info.status == FINISHED}
        missing = [child for child in study.children if child.key not in whole]
        for child in study.children:
            if child.key in whole:
                self._adopt(whole[child.key], parent)
        # MLflow lists what came last first.
        for child in tqdm(missing[::-1], desc="publishing", unit="run", mininterval=1.0, disable=not missing):
            self._fill_run(self._open_run(child, parent), child)
        finished = parent.info.status == FINISHED
        for file in study.files:
            # A page may have been drawn anew: it shows the study and is no part of it.
            if not finished or file.suffix == PAGE_SUFFIX:
                self._client.log_artifact(parent.info.run_id, str(file), FOLDERS.get(file.suffix, OTHER_FOLDER))
        if finished:
            return len(missing)
        self._fill_run(parent, study.parent)
        return len(missing) + 1

    def _find_runs(self) -> dict[str, Run]:
        """Find the study's runs by key, those in the bin as well; of several, one that is whole and not in the bin."""
        from mlflow.entities import ViewType

        ours = f"tags.`{STUDY_TAG}` = '{self._digest}'"
        search = partial(self._client.search_runs, [self._experiment], ours, ViewType.ALL, RUNS_PER_PAGE)
        page = search()
        found = list(page)
        while page.token:
            page = search(page_token=page.token)
            found += page
        found.sort(key=lambda run: (run.info.lifecycle_stage != DELETED, run.info.status == FINISHED), reverse=True)
        return {run.data.tags[KEY_TAG]: run for run in reversed(found)}

    def _open_run(self, record: RunRecord, parent: Run | None = None) -> Run:
        """Return the run that a crash left, or a new one."""
        run = self._found.get(record.key)
        if run is not None:
            self._adopt(run, parent)
            return run
        tags = {STUDY_TAG: self._digest, KEY_TAG: record.key, KIND_TAG: record.kind, **record.tags}
        tags |= {PARENT_TAG: parent.info.run_id} if parent else {}
        tags = {name: _shorten(value, TAG_LENGTH) for name, value in tags.items()}
        return self._client.create_run(self._experiment, tags=tags, run_name=record.key)

    def _adopt(self, run: Run, parent: Run | None) -> None:
        """Take a run out of the bin, and put it under the parent, should its former one be gone."""
        if run.info.lifecycle_stage == DELETED:
            self._client.restore_run(run.info.run_id)
        if parent and run.data.tags.get(PARENT_TAG) != parent.info.run_id:
            self._client.set_tag(run.info.run_id, PARENT_TAG, parent.info.run_id)

    def _fill_run(self, run: Run, record: RunRecord) -> None:
        """Log everything and finish; what a crashed attempt logged is equal, so the store takes it as one."""
        from mlflow.entities import Metric, Param

        params = [Param(name, _shorten(value, PARAM_LENGTH)) for name, value in record.params.items()]
        for start in range(0, len(params), PARAMS_PER_CALL):
            self._client.log_batch(run.info.run_id, params=params[start : start + PARAMS_PER_CALL])
        metrics = [Metric(found.name, found.value, run.info.start_time, found.step) for found in record.metrics]
        for start in range(0, len(metrics), METRICS_PER_CALL):
            self._client.log_batch(run.info.run_id, metrics=metrics[start : start + METRICS_PER_CALL])
        self._client.set_terminated(run.info.run_id, FINISHED)


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
