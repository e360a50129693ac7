"""Stores that cannot be used are told in a line."""

import logging
import os
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from card24_pipeline.tracking.publishing import publish_study_record
from card24_pipeline.tracking.records import PublishingError
from card24_pipeline.tracking.store import TrackingStore, open_store

from .small_study import make_study


def get_message(study, store):
    with pytest.raises(PublishingError) as caught:
        publish_study_record(study, store)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def study(tmp_path):
    return make_study(tmp_path / "report")


def test_server_that_does_not_answer(study, store):
    started = time.monotonic()
    message = get_message(study, replace(store, uri="http://someone:secret@127.0.0.1:9"))
    assert message == "http://someone:…@127.0.0.1:9: no server answers there"
    assert time.monotonic() - started < 15


def test_database_whose_driver_is_missing(study, store):
    uri = "postgresql+pg8000://someone:secret@127.0.0.1:9/studies?password=secret"
    message = get_message(study, replace(store, uri=uri))
    assert message.startswith(
        "postgresql+pg8000://someone:…@127.0.0.1:9/studies?password=…: its driver is not installed"
    )


def test_newer_schema(study, store):
    with sqlite3.connect(store.database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    before = store.database.read_bytes()
    message = get_message(study, store)
    assert message.startswith(f"{store.uri}: ")
    assert "from_the_future" in message
    assert store.database.read_bytes() == before


def test_file_that_is_no_database(study, store):
    store.database.write_text("not a database, whatever its name" * 100)
    assert get_message(study, store) == f"{store.uri}: file is not a database"


def test_folder_in_place_of_the_database(study, store):
    folder = store.database.parent
    assert get_message(study, replace(store, uri=f"sqlite:///{folder}")).endswith("unable to open database file")


def test_file_store_is_refused(study, store, tmp_path):
    assert "mlruns: " in get_message(study, replace(store, uri=(tmp_path / "mlruns").as_uri()))


def test_new_database_is_whole_or_not_there(store, tmp_path, monkeypatch):
    left = tmp_path / ".new.db.partial"
    left.write_text("what a killed process left of a database")
    seen = []
    replace_file = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (seen.append(Path(new).exists()), replace_file(old, new)))
    with open_store(replace(store, uri=f"sqlite:///{tmp_path}/new.db")) as client:
        assert client.get_experiment("0").name == "Default"
    assert seen == [False]
    assert not left.exists()


def test_own_settings_go_before_ours_and_nothing_is_left_of_them(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with open_store(store):
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
        assert not logging.getLogger("alembic").isEnabledFor(logging.INFO)
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
    assert logging.getLogger("card24_pipeline").isEnabledFor(logging.ERROR)


def test_remote_store_chooses_where_artifacts_go():
    assert TrackingStore("http://127.0.0.1:5000", "tiny", "models").artifact_location is None
