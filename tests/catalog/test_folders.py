"""Checkpoint folders are whole or absent; progress folders are private."""

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.io import DatasetError

from card24_pipeline.catalog.checkpoint_folder import CheckpointFolderDataset
from card24_pipeline.catalog.paths import ProgressFolderDataset
from card24_pipeline.checkpoints.manifest import write_manifest


def stage(folder: Path, text: str = "weights", manifest: bool = True) -> Path:
    (folder / "step_10").mkdir(parents=True)
    (folder / "step_10/model.safetensors").write_text(text)
    if manifest:
        write_manifest(folder)
    return folder


class TestCheckpointFolder:
    def test_saved_folder_is_moved_whole(self, tmp_path: Path) -> None:
        dataset = CheckpointFolderDataset(filepath=str(tmp_path / "models/sft"))
        staged = stage(tmp_path / "progress/staged")
        assert not dataset.exists()
        dataset.save(staged)
        assert not staged.exists()
        assert dataset.load() == tmp_path / "models/sft"
        assert (dataset.load() / "step_10/model.safetensors").read_text() == "weights"
        assert dataset.exists()

    def test_saving_replaces_and_leaves_nothing_beside(self, tmp_path: Path) -> None:
        dataset = CheckpointFolderDataset(filepath=str(tmp_path / "models/sft"))
        stage(tmp_path / "models/sft", "old")
        (tmp_path / "models/sft/stale.txt").write_text("")
        (tmp_path / "models/.sft.new").mkdir()
        dataset.save(stage(tmp_path / "staged", "new"))
        assert (dataset.load() / "step_10/model.safetensors").read_text() == "new"
        assert not (dataset.load() / "stale.txt").exists()
        assert [path.name for path in (tmp_path / "models").iterdir()] == ["sft"]

    def test_staged_folder_without_manifest_is_refused(self, tmp_path: Path) -> None:
        dataset = CheckpointFolderDataset(filepath=str(tmp_path / "models/sft"))
        stage(tmp_path / "models/sft", "old")
        with pytest.raises(DatasetError, match=r"has no manifest\.json"):
            dataset.save(stage(tmp_path / "staged", manifest=False))
        assert (dataset.load() / "step_10/model.safetensors").read_text() == "old"

    def test_destination_itself_is_refused(self, tmp_path: Path) -> None:
        folder = stage(tmp_path / "sft")
        with pytest.raises(DatasetError, match="destination itself"):
            CheckpointFolderDataset(filepath=str(folder)).save(folder)
        assert folder.exists()

    def test_load_names_what_is_missing(self, tmp_path: Path) -> None:
        dataset = CheckpointFolderDataset(filepath=str(tmp_path / "sft"))
        with pytest.raises(DatasetError, match="sft is missing"):
            dataset.load()
        stage(tmp_path / "sft", manifest=False)
        with pytest.raises(DatasetError, match=r"has no manifest\.json"):
            dataset.load()
        assert not dataset.exists()


class TestProgressFolder:
    def test_load_returns_the_path_without_making_it(self, tmp_path: Path) -> None:
        folder = ProgressFolderDataset(filepath=str(tmp_path / "progress"), metadata={"dvc": {"track": False}}).load()
        assert folder == tmp_path / "progress"
        assert not folder.exists()

    def test_saving_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="is no output"):
            ProgressFolderDataset(filepath=str(tmp_path / "progress")).save(tmp_path)  # type: ignore[arg-type]
