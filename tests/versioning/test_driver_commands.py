"""``kedro dvc run`` and ``kedro dvc heal`` in a Kedro project, and a plain ``dvc repro`` beside them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from card24_pipeline.versioning.lock_files import LockText

Tool = Callable[..., CompletedProcess[str]]


def test_run_heal_and_plain_repro_know_of_each_other(toy_project: Path, run_tool: Tool) -> None:
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["kedro", "dvc", "sync"]):
        assert run_tool(*command).returncode == 0
    ran = run_tool("kedro", "dvc", "run", "--jobs=2", "--stages=train_model-slow")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1].endswith(": 3 ran")
    assert (toy_project / "data/.logs/base/deal_hands.log").exists()

    # Cut where an entry ends, which DVC takes for a whole file; nothing in its run-cache makes up for it.
    lock = toy_project / "dvc.lock"
    whole = lock.read_text()
    parts = LockText.split(whole)
    lock.write_text(parts.head + parts.entries["deal_hands"])
    shutil.rmtree(toy_project / ".dvc/cache/runs")
    plain = run_tool("dvc", "repro")
    assert plain.returncode != 0
    assert "dvc.lock: damaged, as a kill leaves it: run `kedro dvc heal`, then go on" in plain.stdout + plain.stderr

    healed = run_tool("kedro", "dvc", "heal")
    line = "dvc.lock: was left with 1 of 3 entries; restored from the copy kept here (3 entries)"
    assert healed.stdout.splitlines()[-1] == line
    assert lock.read_text() == whole
    assert run_tool("kedro", "dvc", "heal").stdout.splitlines()[-1] == "every dvc.lock is whole"

    assert run_tool("dvc", "repro").returncode == 0
    again = run_tool("kedro", "dvc", "run")
    assert again.stdout.splitlines()[-1].endswith(": 6 up to date")


def test_a_wrong_request_is_said_in_a_line(toy_project: Path, run_tool: Tool) -> None:
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["kedro", "dvc", "sync"]):
        assert run_tool(*command).returncode == 0
    for option, message in (
        ("--env=huge", "no scale 'huge': conf/huge/dvc.yaml is missing (scales: base, smoke)"),
        ("--slurm=timeout_min=9", "--slurm needs --jobs: how many jobs may wait or run side by side"),
        ("--stages=train_modl", "--stages: no stage 'train_modl': did you mean 'train_model-"),
    ):
        refused = run_tool("kedro", "dvc", "run", option)
        assert refused.returncode == 1
        (line,) = [line for line in refused.stderr.splitlines() if line]
        assert message in line


def test_a_plain_repro_leaves_the_locks_of_the_driver_byte_by_byte(replicated: Path, run_tool: Tool) -> None:
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["kedro", "dvc", "sync"]):
        assert run_tool(*command).returncode == 0
    assert run_tool("kedro", "dvc", "run", "--jobs=2").returncode == 0
    locks = {path: path.read_bytes() for path in replicated.rglob("dvc.lock") if ".dvc" not in path.parts}
    assert len(locks) == 3
    shutil.rmtree(replicated / ".dvc/cache")
    shutil.rmtree(replicated / ".dvc/tmp")
    shutil.rmtree(replicated / "data")
    for path in locks:
        path.unlink()

    # One stage fails first: its entry has a place, and counts for nothing.
    linear = replicated / "src/toy/algorithms/linear.py"
    text = linear.read_text()
    linear.write_text("raise ValueError(7)\n")
    assert run_tool("dvc", "repro", "--keep-going").returncode != 0
    linear.write_text(text)
    again = run_tool("dvc", "repro")
    assert again.returncode == 0, again.stdout + again.stderr
    assert {path: path.read_bytes() for path in locks} == locks
