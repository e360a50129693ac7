import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from pydantic import BaseModel

from card24_pipeline.checkpoints.manifest import write_manifest
from card24_pipeline.training import progress
from card24_pipeline.training.progress import (
    FRESH_VARIABLE,
    ProgressInUseError,
    digest_inputs,
    open_progress,
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
        assert {path.name for path in (tmp_path / "sft").iterdir()} == {work.name, ".lock"}
        assert list(work.iterdir()) == []
        assert str(stale) in caplog.text

    @pytest.mark.parametrize(("value", "kept"), [("1", False), ("", True)])
    def test_a_forced_run_starts_afresh(self, tmp_path, monkeypatch, value, kept):
        work = open_progress(tmp_path / "sft", 0)
        (work / "state").mkdir()
        monkeypatch.setenv(FRESH_VARIABLE, value)
        assert open_progress(tmp_path / "sft", 0) == work
        assert (work / "state").is_dir() is kept


HOLD = """
import sys, time
from pathlib import Path
from card24_pipeline.training.progress import open_progress
print(open_progress(Path(sys.argv[1]), 0), flush=True)
time.sleep(60)
"""


class TestOneProcessAtATime:
    @pytest.fixture
    def holder(self, tmp_path):
        """Another process that holds the folder and has a state in it."""
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(tmp_path / "sft")], stdout=subprocess.PIPE, text=True
        )
        work = Path(process.stdout.readline().strip())
        (work / "state").mkdir()
        yield process, work
        process.kill()
        process.wait()

    def test_a_second_one_is_refused_in_a_line_and_drops_nothing(self, holder, tmp_path):
        _, work = holder
        with pytest.raises(ProgressInUseError) as caught:
            open_progress(tmp_path / "sft", 1)
        (line,) = str(caught.value).splitlines()
        assert line.startswith(f"{tmp_path / 'sft'} is in use")
        assert "wait until it has ended, or end it" in line
        assert (work / "state").is_dir()

    def test_a_killed_one_leaves_the_folder_to_the_next(self, holder, tmp_path):
        process, work = holder
        process.kill()
        process.wait()
        assert open_progress(tmp_path / "sft", 0) == work
        assert (work / "state").is_dir()

    def test_other_folders_are_free(self, holder, tmp_path):
        assert open_progress(tmp_path / "rl", 0).is_dir()

    def test_a_folder_that_was_cleared_is_claimed_anew(self, tmp_path):
        open_progress(tmp_path / "sft", 0)
        shutil.rmtree(tmp_path / "sft")
        assert open_progress(tmp_path / "sft", 0).is_dir()
        assert (tmp_path / "sft/.lock").is_file()

    def test_so_is_one_that_goes_before_its_lock_is_held(self, tmp_path, monkeypatch):
        flock, calls = progress.fcntl.flock, []

        def remove_first(stream, how):
            if not calls:
                shutil.rmtree(tmp_path / "sft")
            calls.append(how)
            flock(stream, how)

        monkeypatch.setattr(progress.fcntl, "flock", remove_first)
        assert open_progress(tmp_path / "sft", 0).is_dir()
        assert (tmp_path / "sft/.lock").is_file()
        assert len(calls) == 2


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
