import logging

import pandas as pd
import pytest
from pydantic import BaseModel

from card24_pipeline.checkpoints.manifest import write_manifest
from card24_pipeline.training.progress import (
    FRESH_VARIABLE,
    digest_inputs,
    find_trainer_state,
    open_progress,
    read_trainer_step,
)


class Settings(BaseModel):
    rate: float


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    write_manifest(folder)
    return folder


@pytest.fixture(autouse=True)
def no_fresh_variable(monkeypatch):
    monkeypatch.delenv(FRESH_VARIABLE, raising=False)


class TestOpen:
    def test_own_state_is_kept(self, tmp_path):
        work = open_progress(tmp_path / "sft", Settings(rate=1), 0)
        (work / "state").mkdir()
        assert open_progress(tmp_path / "sft", Settings(rate=1), 0) == work
        assert (work / "state").is_dir()

    def test_state_of_other_inputs_is_dropped_with_a_word(self, tmp_path, caplog):
        stale = open_progress(tmp_path / "sft", Settings(rate=1), 0)
        (stale / "state").mkdir()
        with caplog.at_level(logging.INFO):
            work = open_progress(tmp_path / "sft", Settings(rate=2), 0)
        assert [path.name for path in (tmp_path / "sft").iterdir()] == [work.name]
        assert list(work.iterdir()) == []
        assert str(stale) in caplog.text

    @pytest.mark.parametrize(("value", "kept"), [("1", False), ("", True)])
    def test_a_forced_run_starts_afresh(self, tmp_path, monkeypatch, value, kept):
        work = open_progress(tmp_path / "sft", 0)
        (work / "state").mkdir()
        monkeypatch.setenv(FRESH_VARIABLE, value)
        assert open_progress(tmp_path / "sft", 0) == work
        assert (work / "state").is_dir() is kept


class TestDigest:
    def test_every_kind_of_input_counts(self, checkpoint):
        frame = pd.DataFrame({"prompt": ["a", "b"], "values": [[1, 2], [3, 4]]})
        digests = {
            digest_inputs(checkpoint, frame, Settings(rate=1), 0),
            digest_inputs(checkpoint, frame, Settings(rate=1), 1),
            digest_inputs(checkpoint, frame, Settings(rate=2), 0),
            digest_inputs(checkpoint, frame.iloc[::-1], Settings(rate=1), 0),
            digest_inputs(frame, Settings(rate=1), 0),
        }
        assert len(digests) == 5
        assert digest_inputs(checkpoint, frame, Settings(rate=1), 0) in digests

    def test_checkpoint_counts_by_content_and_not_by_place(self, checkpoint, tmp_path):
        before = digest_inputs(checkpoint)
        moved = checkpoint.rename(tmp_path / "moved")
        assert digest_inputs(moved) == before
        (moved / "model.safetensors").write_bytes(b"WEIGHTS")
        write_manifest(moved)
        assert digest_inputs(moved) != before

    def test_neighbouring_inputs_do_not_run_into_one_another(self):
        assert digest_inputs(1, 23) != digest_inputs(12, 3)

    def test_source_of_the_package_counts(self, tmp_path, monkeypatch):
        before = digest_inputs(0)
        (tmp_path / "training").mkdir()
        (tmp_path / "other.py").write_text("")
        monkeypatch.setattr("card24_pipeline.training.progress.__file__", str(tmp_path / "training/progress.py"))
        assert digest_inputs(0) != before


def test_half_written_state_of_a_trainer_is_passed_over(tmp_path):
    for step, whole in ((2, True), (10, True), (20, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "optimizer.pt").write_bytes(b"")
        if whole:
            (folder / "trainer_state.json").write_text("{}")
    assert find_trainer_state(tmp_path) == tmp_path / "checkpoint-10"
    assert read_trainer_step(tmp_path / "checkpoint-10") == 10
    assert find_trainer_state(tmp_path / "nowhere") is None
