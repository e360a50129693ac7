"""The driver when it is stopped or killed: nothing stays behind, nothing is lost, it goes on to the same bytes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

import psutil
import pytest

from card24_pipeline.versioning.lock_keeper import MARK

SEED_0 = "conf/base/seed_0/dvc.yaml"
SEED_1 = "conf/base/seed_1/dvc.yaml"
# A grandchild that does not heed Ctrl-C, as one in the middle of a long computation.
DEAF = "mkdir -p data/seed_0 && touch data/seed_0/started && trap '' INT && sh -c 'sleep 600; true'"


def list_processes(root):
    """List the processes of a run in a checkout."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == str(root):
                found.append(process)
    return found


def wait_for(condition):
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill_all(driver):
    """Kill a driver and all that it started at one moment, as a machine that goes down does."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [*psutil.Process(driver.pid).children(recursive=True), psutil.Process(driver.pid)]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
    driver.communicate()


def finish(study):
    """Run a driver of its own to the end; return what it wrote."""
    driver = study.start()
    text, _ = driver.communicate(timeout=300)
    assert driver.returncode == 0, text
    return text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_leaves_no_process_and_says_how_to_go_on(study, number):
    study.change(SEED_0, "train", lambda _: DEAF)
    study.change(SEED_1, "train", lambda _: "sleep 600")
    driver = study.start()
    wait_for((study.root / "data/seed_0/started").exists)
    driver.send_signal(number)
    text, _ = driver.communicate(timeout=30)
    assert driver.returncode == 130
    assert text.splitlines()[-1] == "stopped, and nothing is lost: `kedro dvc run --env=base` goes on from here"
    assert list_processes(study.root) == []


def test_what_a_killed_driver_left_running_is_ended_by_the_next(study, ran):
    command = ["touch data/seed_0/started", "sleep 600"]
    study.change(SEED_0, "train", lambda _: f"mkdir -p data/seed_0 && {' && '.join(command)}")
    driver = study.start()
    wait_for((study.root / "data/seed_0/started").exists)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    assert list_processes(study.root) != []
    study.tool("git", "checkout", "-q", "conf")
    text = finish(study)
    assert "processes that a killed run had left" in text
    assert list_processes(study.root) == []
    assert study.read_locks() == ran.read_locks()


def kill_at_random(study, chance):
    """Start a driver and kill it at a random moment, its children too or not; tell whether it was still at work."""
    driver = study.start()
    time.sleep(chance.uniform(0.3, 6.0))
    at_work = driver.poll() is None
    if chance.random() < 0.5:
        kill_all(driver)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)
        driver.communicate()
    return at_work


def kill_in_a_write(study):
    """Start a driver and kill everything as soon as a lock file is seen to shrink; tell whether one was.

    One that an earlier kill left empty does not count.
    """
    driver = study.start()
    sizes: dict[str, int] = {}
    while driver.poll() is None:
        for path in study.root.glob("**/dvc.lock"):
            with contextlib.suppress(FileNotFoundError):
                size = path.stat().st_size
                if size < sizes.get(str(path), 0):
                    kill_all(driver)
                    return True
                sizes[str(path)] = size
    driver.communicate()
    return False


def test_killed_at_random_it_goes_on_to_the_same_bytes(study, ran):
    chance = random.Random(24)
    for _ in range(3):
        kill_at_random(study, chance)
    finish(study)
    assert study.read_locks() == ran.read_locks()


def test_killed_in_the_writing_of_a_lock_it_goes_on_to_the_same_bytes(study, ran):
    hits = sum(kill_in_a_write(study) for _ in range(3))
    finish(study)
    assert hits > 0
    assert study.read_locks() == ran.read_locks()


@pytest.mark.slow
def test_thirty_kills_end_in_the_same_bytes(long_study):
    finish(long_study)
    undisturbed = long_study.read_locks()
    chance = random.Random(14)
    kills = aimed = 0
    while kills < 30:
        long_study.forget()
        for _ in range(6):
            hit = kill_in_a_write(long_study)
            aimed += hit
            kills += hit + kill_at_random(long_study, chance)
        finish(long_study)
        assert long_study.read_locks() == undisturbed
    assert aimed >= 10
