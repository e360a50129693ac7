"""The store that studies are published to, opened with its errors told in a line."""

from __future__ import annotations

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.tracking.records import PublishingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite:///"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # its runs are trainings, not traces
LOCK_SECONDS = 10.0
REASON_LENGTH = 300

# For a store that is up these are enough; MLflow's own wait for minutes. No usage is reported to anyone.
_MLFLOW_VARIABLES = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class TrackingStore:
    """Where the studies of one scale are published.

    Attributes:
        uri: Tracking URI, as MLflow takes it; a password in it is not shown.
        scale: Name of the scale.
        checkpoints: Folder of the scale's models, to which runs refer.
    """

    uri: str
    scale: str
    checkpoints: str

    @property
    def experiment(self) -> str:
        """Name of the scale's experiment."""
        return f"card24/{self.scale}"

    @property
    def shown(self) -> str:
        """The URI without its password."""
        return _hide_passwords(self.uri)

    @property
    def database(self) -> Path | None:
        """The database file of a local store; None for another."""
        return Path(self.uri.removeprefix(SQLITE)) if self.uri.startswith(SQLITE) else None

    @property
    def artifact_location(self) -> str | None:
        """Where the experiment's artifacts go: beside a local database, or where the server puts them (None)."""
        if self.database is None:
            return None
        return (self.database.resolve().parent / "mlruns" / self.experiment).as_uri()


@contextmanager
def open_store(store: TrackingStore) -> Iterator[MlflowClient]:
    """Open a store for as long as the context lasts, with MLflow silenced.

    Raises:
        PublishingError: If the store cannot be reached, read or written, in one line.
    """
    _check_database(store)
    with _silenced():
        import requests
        from alembic.util import CommandError
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            if store.database is not None and not store.database.exists():
                _create_database(store.database)
            yield MlflowClient(tracking_uri=store.uri)
        except ImportError as error:
            raise PublishingError(f"{store.shown}: its driver is not installed: {_say_in_a_line(error)}") from error
        except (MlflowException, SQLAlchemyError, CommandError, requests.RequestException, OSError) as error:
            raise PublishingError(f"{store.shown}: {_say_in_a_line(error)}") from error


def prepare_experiment(client: MlflowClient, store: TrackingStore) -> str:
    """Return the identifier of the store's experiment, made or taken out of the bin if need be."""
    found = client.get_experiment_by_name(store.experiment)
    if found is None:
        created: str = client.create_experiment(store.experiment, store.artifact_location, EXPERIMENT_TAGS)
        return created
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    identifier: str = found.experiment_id
    return identifier


def _check_database(store: TrackingStore) -> None:
    """Refuse at once a file that is no database or cannot be written: MLflow would try again for minutes."""
    path = store.database
    if path is None or not path.exists():
        return
    try:
        connection = sqlite3.connect(path, timeout=LOCK_SECONDS)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT count(*) FROM sqlite_master")
            connection.rollback()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise PublishingError(f"{store.shown}: {_say_in_a_line(error)}") from error


def _create_database(path: Path) -> None:
    """Make MLflow's tables under another name and rename them: of half of them, MLflow cannot make the whole."""
    from mlflow import MlflowClient

    partial = path.with_name(f".{path.name}.partial")
    for left in (partial, partial.with_name(f"{partial.name}-journal")):
        left.unlink(missing_ok=True)
    MlflowClient(tracking_uri=f"{SQLITE}{partial}").search_experiments(max_results=1)
    os.replace(partial, path)


@contextmanager
def _silenced() -> Iterator[None]:
    """Set MLflow's variables where the user did not, and hold back what libraries log: errors are raised as well."""
    added = {name: value for name, value in _MLFLOW_VARIABLES.items() if name not in os.environ}
    level = logging.root.manager.disable
    os.environ.update(added)
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(level)
        for name in added:
            os.environ.pop(name, None)


def _say_in_a_line(error: BaseException) -> str:
    if "Max retries exceeded" in str(error):
        return "no server answers there"
    text = _hide_passwords(" ".join(str(error).split())) or type(error).__name__
    return text if len(text) <= REASON_LENGTH else f"{text[:REASON_LENGTH]}…"


def _hide_passwords(text: str) -> str:
    return re.sub(r"(?<=password=)[^&\s]+", "…", re.sub(r"(?<=://)([^/@:\s]*):[^/@\s]*@", r"\1:…@", text))
