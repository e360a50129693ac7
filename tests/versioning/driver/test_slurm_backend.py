"""Stages as jobs, with submitit's executor for this machine in the place of Slurm."""

from __future__ import annotations

import builtins
import os

import pytest

from card24_pipeline.versioning.driver import run_scale
from card24_pipeline.versioning.driver_request import DriverRequest
from card24_pipeline.versioning.driver_view import DriverView
from card24_pipeline.versioning.slurm_backend import JOBS, SlurmBackend, cancel_jobs
from card24_pipeline.versioning.validation import VersioningError

SEED_0 = "conf/base/seed_0/dvc.yaml"


def run(study):
    return run_scale(study.request(), SlurmBackend(study.root, "timeout_min=5", "local"), DriverView(terminal=False))


def test_jobs_leave_what_processes_do(study, ran):
    assert run(study) == 0
    assert study.read_locks() == ran.read_locks()
    assert list((study.root / JOBS).iterdir()) == []
    assert "Running stage" in (study.root / "data/.logs/base/seed_0/train.log").read_text()


def test_a_job_that_fails_is_a_stage_that_fails(study, capsys):
    study.change(SEED_0, "train", lambda _: "echo 'ValueError: seven is no card'; exit 3")
    assert run(study) == 1
    assert "failed: seed_0/train: ValueError: seven is no card (data/.logs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"), [("timeout_min", "expected KEY=VALUE separated by commas"), ("colour=red", "colour")]
)
def test_a_wrong_option_is_said_in_a_line(project, options, message):
    with pytest.raises(VersioningError, match=rf"^--slurm: .*{message}"):
        SlurmBackend(project, options, "local")


def test_without_submitit_the_remedy_is_said_in_a_line(project, monkeypatch):
    known = builtins.__import__

    def refuse(name, *rest):
        if name == "submitit":
            raise ImportError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(VersioningError, match=r"^--slurm needs submitit: pip install 'card24-pipeline\[slurm\]'$"):
        SlurmBackend(project)


class TestJobsOfAKilledDriver:
    """With little programs in the place of Slurm's: the file ``known`` lists who is at work."""

    @pytest.fixture
    def left(self, project, monkeypatch):
        monkeypatch.setattr("card24_pipeline.versioning.slurm_backend.POLL_SECONDS", 0.01)
        (project / JOBS).mkdir(parents=True)
        for number in ("41", "42", "43"):
            (project / JOBS / number).touch()
        monkeypatch.setenv("PATH", f"{project}/bin{os.pathsep}{os.environ['PATH']}")
        monkeypatch.chdir(project)
        return project

    def install(self, project, **programs):
        (project / "bin").mkdir()
        for name, text in programs.items():
            (project / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (project / "bin" / name).chmod(0o755)

    def test_those_still_known_are_cancelled_and_waited_for(self, left):
        self.install(
            left, squeue="cat known; [ ! -e cancelled ] || sed -i 1d known", scancel="echo $@ > cancelled; exit 1"
        )
        (left / "known").write_text("42\n43\n99\n")
        assert cancel_jobs(left) == 2
        assert (left / "cancelled").read_text() == "42 43\n"
        assert (left / "known").read_text() == ""
        assert list((left / JOBS).iterdir()) == []
        assert cancel_jobs(left) == 0

    def test_jobs_that_do_not_end_keep_the_next_driver_out(self, left, monkeypatch):
        monkeypatch.setattr("card24_pipeline.versioning.slurm_backend.PATIENCE_SECONDS", 0.05)
        self.install(left, squeue="echo 42", scancel="true")
        with pytest.raises(VersioningError, match=r"^jobs 42 of an earlier run do not end: see `squeue --me`$"):
            run_scale(DriverRequest(left, "conf", "data", "base", "base", 2))
        assert (left / JOBS / "42").exists()

    def test_where_slurm_cannot_be_asked_the_next_driver_does_not_begin(self, left):
        self.install(left, squeue="echo 'slurm_load_jobs error: no contact' >&2; exit 1")
        with pytest.raises(
            VersioningError, match=r"^jobs 41, 42, 43 .* squeue fails \(slurm_load_jobs error: no contact"
        ):
            cancel_jobs(left)
