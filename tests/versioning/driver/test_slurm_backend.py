"""Stages as jobs, with submitit's executor for this machine in the place of Slurm."""

from __future__ import annotations

import builtins

import pytest

from card24_pipeline.versioning.driver import run_scale
from card24_pipeline.versioning.driver_view import DriverView
from card24_pipeline.versioning.slurm_backend import SlurmBackend
from card24_pipeline.versioning.validation import VersioningError

SEED_0 = "conf/base/seed_0/dvc.yaml"


def run(study):
    return run_scale(study.request(), SlurmBackend(study.root, "timeout_min=5", "local"), DriverView(terminal=False))


def test_jobs_leave_what_processes_do(study, ran):
    assert run(study) == 0
    assert study.read_locks() == ran.read_locks()
    assert "Running stage" in (study.root / "data/.logs/base/seed_0/train.log").read_text()


def test_a_job_that_fails_is_a_stage_that_fails(study, capsys):
    study.change(SEED_0, "train", lambda _: "echo 'ValueError: seven is no card'; exit 3")
    assert run(study) == 1
    assert "failed: seed_0/train: ValueError: seven is no card (data/.logs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"), [("timeout_min", "expected KEY=VALUE separated by commas"), ("colour=red", "colour")]
)
def test_a_wrong_option_is_told_in_a_line(project, options, told):
    with pytest.raises(VersioningError, match=rf"^--slurm: .*{told}"):
        SlurmBackend(project, options, "local")


def test_without_submitit_the_remedy_is_told_in_a_line(project, monkeypatch):
    known = builtins.__import__

    def refuse(name, *rest):
        if name == "submitit":
            raise ImportError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(VersioningError, match=r"^--slurm needs submitit: pip install 'card24-pipeline\[slurm\]'$"):
        SlurmBackend(project)
