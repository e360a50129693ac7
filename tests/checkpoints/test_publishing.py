from __future__ import annotations

import os
import shutil

import pytest

from card24_pipeline.checkpoints import publishing
from card24_pipeline.checkpoints.manifest import CheckpointError, check_manifest, write_manifest
from card24_pipeline.checkpoints.publishing import check_vacant, publish_folder


def stage(folder, text):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(text)
    write_manifest(folder)
    return folder


@pytest.fixture
def target(tmp_path):
    """An older folder with a file that the new one has not."""
    folder = tmp_path / "models" / "sft"
    folder.mkdir(parents=True)
    (folder / "stale").write_text("")
    return stage(folder / "old", "old").parent


def list_names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_folder_moves_whole_and_replaces_the_old_one(tmp_path, target) -> None:
    staged = stage(tmp_path / "elsewhere" / "staged", "new")
    publish_folder(staged, target)
    assert not staged.exists()
    assert set(check_manifest(target)) == {"config.json"}
    assert list_names(target) == ["config.json", "manifest.json"]
    assert list_names(target.parent) == ["sft"]


def test_half_done_folder_and_the_target_itself_are_refused_and_the_old_one_stays(tmp_path, target) -> None:
    staged = stage(tmp_path / "staged", "new")
    (staged / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        publish_folder(staged, target)
    write_manifest(target)
    with pytest.raises(CheckpointError, match="is the destination itself"):
        publish_folder(target, target.parent / "." / "sft")
    assert list_names(target) == ["manifest.json", "old", "stale"]


@pytest.mark.parametrize("call", range(6))
def test_killed_anywhere_the_old_or_the_new_is_whole_and_the_next_try_succeeds(
    tmp_path, target, monkeypatch, call
) -> None:
    """Every call that moves or removes something is the last one of a run once."""
    write_manifest(target)
    calls = []

    def killed_before(function):
        def change(*args, **settings):
            calls.append(function)
            if len(calls) > call:
                raise KeyboardInterrupt
            return function(*args, **settings)

        return change

    staged = stage(tmp_path / "staged", "new")
    with monkeypatch.context() as patch:
        patch.setattr(publishing.os, "replace", killed_before(os.replace))
        patch.setattr(publishing.shutil, "move", killed_before(shutil.move))
        patch.setattr(publishing.shutil, "rmtree", killed_before(shutil.rmtree))
        with pytest.raises(KeyboardInterrupt):
            publish_folder(staged, target)
    beside = [folder for folder in (target, staged, *target.parent.glob(".sft.*")) if folder.is_dir()]
    assert any(check_manifest(folder) for folder in beside)
    assert target.is_dir() or {".sft.old", ".sft.new"} <= set(list_names(target.parent))
    publish_folder(stage(tmp_path / "again", "newer"), target)
    assert (target / "config.json").read_text() == "newer"
    assert list_names(target.parent) == ["sft"]


def test_only_nothing_and_an_empty_folder_are_vacant(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nowhere"):
        check_vacant(tmp_path / name)
    (tmp_path / "file").write_text("")
    for taken in ("file", "."):
        with pytest.raises(CheckpointError, match="already exists"):
            check_vacant(tmp_path / taken)
