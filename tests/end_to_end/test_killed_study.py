"""The smoke study, killed again and again on its way: it ends with the bytes of one that nobody disturbed."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.study_clone import StudyClone, clone_study

pytestmark = pytest.mark.slow
KILLS, AIMED = 30, 10
DRIVER = ("kedro", "dvc", "run", "--env=smoke", "--jobs=2")


def start_driver(clone: StudyClone, log: Path) -> psutil.Process:
    return psutil.Process(clone.start(*DRIVER, log=log).pid)


def kill_all(driver: psutil.Process) -> None:
    """Kill a driver and all that it started at one moment, as a machine that goes down does."""
    family = [driver, *driver.children(recursive=True)]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=10)


def is_at_work(driver: psutil.Process) -> bool:
    return driver.is_running() and driver.status() != psutil.STATUS_ZOMBIE


def wait_for_a_moment(driver: psutil.Process, seconds: float) -> bool:
    """Wait so long; tell whether the driver is still at work."""
    deadline = time.monotonic() + seconds
    while is_at_work(driver) and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_at_work(driver)


def wait_for_a_cut_lock(driver: psutil.Process, clone: StudyClone) -> bool:
    """Wait until DVC has emptied a lock file to write it; tell whether that was seen.

    One that an earlier kill left empty does not count: it must have been seen with more in it first.
    """
    sizes: dict[Path, int] = {}
    while is_at_work(driver):
        for path in clone.lock_files:
            with contextlib.suppress(FileNotFoundError):
                size = path.stat().st_size
                if size < sizes.get(path, 0):
                    return True
                sizes[path] = size
    return False


def list_state(clone: StudyClone) -> tuple[dict[str, str], str, list[str]]:
    """Return the lock files, in which every output's digest stands, what git sees changed, and every file of data."""
    locks = {path.relative_to(clone.root).as_posix(): path.read_text(encoding="utf-8") for path in clone.lock_files}
    data = (path.relative_to(clone.root).as_posix() for path in (clone.root / "data").rglob("*") if path.is_file())
    private = ("data/.timings/", "data/.logs/")
    changed = clone.run("git", "status", "--porcelain", "--untracked-files=all").stdout
    return locks, changed, sorted(path for path in data if not path.startswith(private))


def test_killed_thirty_times_it_ends_in_the_same_bytes(tmp_path: Path) -> None:
    undisturbed, killed = (clone_study(tmp_path / name) for name in ("undisturbed", "killed"))
    undisturbed.run(*DRIVER)
    chance, log = random.Random(24), tmp_path / "log.txt"
    kills = aimed = 0
    while kills < KILLS:
        driver = start_driver(killed, log)
        aims = aimed < AIMED and kills % 2 == 0
        if wait_for_a_cut_lock(driver, killed) if aims else wait_for_a_moment(driver, chance.uniform(1.0, 12.0)):
            kill_all(driver)
            kills, aimed = kills + 1, aimed + aims
            print(f"kill {kills}: {'in the writing of a lock' if aims else 'at random'}")
        else:
            assert "Traceback" not in log.read_text(encoding="utf-8")
            assert list_state(killed) == list_state(undisturbed)
            killed.run("git", "clean", "--quiet", "--force", "-d", "-x", "data", "conf")  # done too soon: once more
    killed.run(*DRIVER)
    assert aimed >= AIMED
    assert list_state(killed) == list_state(undisturbed)
