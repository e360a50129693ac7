from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest

from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.opening import resolve_checkpoint


def test_paths_stay_paths() -> None:
    assert resolve_checkpoint("some/folder") == Path("some/folder")


def test_hub_names_are_downloaded_without_pickles(monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **settings: calls.append((name, settings)) or "/cache/x"
    )
    assert resolve_checkpoint("hub:org/name@v1") == Path("/cache/x")
    ((name, settings),) = calls
    assert (name, settings["revision"]) == ("org/name", "v1")
    assert not any(pattern.endswith((".bin", ".pt", "*")) for pattern in settings["allow_patterns"])


def test_failed_download_is_one_clear_line(monkeypatch) -> None:
    def fail(*_, **__):
        raise OSError("no route\nto anywhere")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(CheckpointError, match=r"^hub:org/name could not be downloaded: no route$"):
        resolve_checkpoint("hub:org/name")
