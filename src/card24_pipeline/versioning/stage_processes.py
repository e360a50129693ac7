"""Stages as child processes, each the leader of a session of its own, so that it ends with all that it started."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from card24_pipeline.versioning.lock_keeper import MARK, TEMPORARY
from card24_pipeline.versioning.validation import VersioningError

PATIENCE_SECONDS = 0.8


class StageProcess(Protocol):
    """A stage that runs somewhere."""

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""

    def interrupt(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


class Backend(Protocol):
    """Where stages run."""

    def start(self, address: str, log: Path) -> StageProcess:
        """Start a stage, with a file for what it writes."""


def make_command(address: str) -> list[str]:
    """Return DVC's own command that runs one stage."""
    return [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", address]


def make_environment(root: Path) -> dict[str, str]:
    """Return the environment of a stage: this interpreter's tools first, and the mark of the run."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, MARK: str(root), "COLUMNS": os.environ.get("COLUMNS", "200")}


class LocalBackend:
    """Runs stages on this machine."""

    def __init__(self, root: Path) -> None:
        """Take the project's root."""
        self._root = root
        self._environment = make_environment(root)

    def start(self, address: str, log: Path) -> LocalProcess:
        """Start a stage."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            process = subprocess.Popen(
                make_command(address),
                cwd=self._root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return LocalProcess(process)


class LocalProcess:
    """A stage that runs on this machine."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Take DVC's process, the leader of its group."""
        self._process = process

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""
        return self._process.poll()

    def interrupt(self) -> None:
        """Ask every process of the group to end."""
        self._send(signal.SIGINT)

    def kill(self) -> None:
        """End every process of the group, DVC's child too, which DVC itself would leave."""
        self._send(signal.SIGKILL)
        self._process.wait()

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def stop_all(processes: Iterable[StageProcess]) -> None:
    """End stages: ask, wait a little, then kill what is left of them."""
    running = list(processes)
    for process in running:
        process.interrupt()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and any(process.poll() is None for process in running):
        time.sleep(0.02)
    for process in running:
        process.kill()


def end_leftovers(root: Path) -> int:
    """Kill what an earlier run in this checkout left running when it was killed itself; return how many processes.

    Only whoever holds the checkout may ask: see :func:`hold_checkout`.
    """
    import psutil

    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    ended = []
    for process in psutil.process_iter():
        # A process may be gone, or another user's.
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in own and process.environ().get(MARK) == str(root):
                process.kill()
                ended.append(process)
    psutil.wait_procs(ended, timeout=PATIENCE_SECONDS)
    return len(ended)


@contextmanager
def hold_checkout(root: Path) -> Iterator[None]:
    """Keep other drivers out of a checkout; the kernel lets them in again however this process ends.

    Raises:
        VersioningError: If another one is at work.
    """
    path = root / TEMPORARY / "driver.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise VersioningError(
                f"another `kedro dvc run` is at work in this checkout (process {holder}): wait for it, or stop it"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def heed_signals() -> Iterator[None]:
    """Let every polite end from outside raise :class:`KeyboardInterrupt`, as Ctrl-C does, to leave time to tidy up."""

    def interrupt(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    with _handle_signals(interrupt):
        yield


@contextmanager
def ignore_signals() -> Iterator[None]:
    """Tidy up undisturbed."""
    with _handle_signals(signal.SIG_IGN):
        yield


@contextmanager
def _handle_signals(handler: signal.Handlers | Callable[[int, object], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
