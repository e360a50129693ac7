"""Runs the stages of a scale side by side with DVC's own commands; ``kedro dvc run``."""

from __future__ import annotations

import errno
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.versioning.driver_request import DriverRequest
from card24_pipeline.versioning.driver_view import DriverView, Progress, RunningStage, describe_seconds, summarise
from card24_pipeline.versioning.lock_keeper import (
    find_lock_files,
    heal_list_of_users,
    heal_locks,
    keep_lock,
    put_in_order,
)
from card24_pipeline.versioning.scheduling import Schedule
from card24_pipeline.versioning.slurm_backend import cancel_jobs, is_shared
from card24_pipeline.versioning.stage_logs import read_error, tells_of_full_disk, tells_of_run
from card24_pipeline.versioning.stage_processes import (
    Backend,
    LocalBackend,
    StageProcess,
    end_leftovers,
    heed_signals,
    hold_checkout,
    ignore_signals,
    stop_all,
)
from card24_pipeline.versioning.stage_times import guess_times, read_times, write_times
from card24_pipeline.versioning.validation import VersioningError

if TYPE_CHECKING:
    from card24_pipeline.versioning.dvc_graph import DvcGraph

POLL_SECONDS = 0.05
FULL_DISK_MEBIBYTES = 16
STOPPED_STATUS = 130
RAN, RESTORED, UP_TO_DATE, FAILED, NOT_RUN = "ran", "restored from the run-cache", "up to date", "failed", "not run"


def heal_checkout(project: Path) -> list[str]:
    """Do what a driver does first: end what a killed one left running and restore lock files; a line for each.

    Raises:
        VersioningError: If a driver, or DVC, is at work.
    """
    from kedro.framework.project import settings

    with hold_checkout(project):
        return _clear_up(project, settings.CONF_SOURCE)


def run_scale(request: DriverRequest, backend: Backend | None = None, view: DriverView | None = None) -> int:
    """Run what is not up to date of a scale.

    Returns:
        The exit status: 0, 1 when a stage failed, 130 when the run was stopped.

    Raises:
        VersioningError: If another driver is at work, a name is unknown, DVC refuses a file or the disk is full.
    """
    view = view or DriverView()
    try:
        with heed_signals(), hold_checkout(request.root):
            return _run(request, backend or LocalBackend(request.root), view)
    except KeyboardInterrupt:
        again = f"kedro dvc run --env={request.env}"
        view.say(f"stopped, and nothing is lost: `{again}` goes on from here")
        return STOPPED_STATUS
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise VersioningError(_describe_full_disk(request.root, "is full")) from error


def _run(request: DriverRequest, backend: Backend, view: DriverView) -> int:
    from card24_pipeline.versioning.dvc_graph import DvcGraph, find_dvc_files

    root = request.root
    for line in _clear_up(root, request.conf_source):
        view.say(line)
    graph = DvcGraph.load(root, find_dvc_files(root, request.conf_source, request.env, request.default_env))
    run = _Run(request, graph, backend, view)
    try:
        run.go()
    finally:
        with ignore_signals():
            view.close()
            stop_all(run.processes.values())
            end_leftovers(root)
            _tidy_locks(root, graph, view)
    return run.report()


def _clear_up(root: Path, conf_source: str) -> list[str]:
    left = {"cancelled": (cancel_jobs(root), "jobs"), "ended": (end_leftovers(root), "processes")}
    ended = [f"{done} {count} {what} that a killed run had left" for done, (count, what) in left.items() if count]
    return [
        *ended,
        *heal_list_of_users(root, alone=not is_shared(root)),
        *heal_locks(root, find_lock_files(root, conf_source)),
    ]


def _tidy_locks(root: Path, graph: DvcGraph, view: DriverView) -> None:
    try:
        for line in heal_locks(root, list(graph.orders)):
            view.say(line)
        put_in_order(root, graph.orders)
    except VersioningError as error:
        view.say(error.message)


class _Run:
    def __init__(self, request: DriverRequest, graph: DvcGraph, backend: Backend, view: DriverView) -> None:
        self.request, self.graph, self.backend, self.view = request, graph, backend, view
        self.began = time.monotonic()
        self.stages = graph.select(request.stages)
        self.times = read_times(request.stage_times)
        waits = {address: stage.waits_for for address, stage in self.stages.items()}
        self.schedule = Schedule(waits, guess_times(self.stages, self.times))
        self.stale: set[str] = set()
        self.unkept = set(graph.orders)
        self.processes: dict[str, StageProcess] = {}
        self.running: dict[str, RunningStage] = {}
        self.failures: dict[str, str] = {}
        self.counts = dict.fromkeys((RAN, RESTORED, UP_TO_DATE, FAILED, NOT_RUN), 0)
        self.full_disk = ""  # what is known of it

    def go(self) -> None:
        """Run until nothing runs and nothing is ready."""
        while True:
            self._keep_locks()
            self._start_ready()
            if not self.running:
                return
            self.view.refresh(list(self.running.values()), self._measure_progress())
            time.sleep(POLL_SECONDS)
            for address, process in list(self.processes.items()):
                status = process.poll()
                if status is not None:
                    self._end(address, status)

    def report(self) -> int:
        """Say what became of the stages, a line for each failure; return the exit status."""
        self.counts[NOT_RUN] += len(self.schedule.waiting)
        seconds = time.monotonic() - self.began
        if self.counts[RAN] == len(self.graph.stages):
            write_times(self.request.study_time, {"study": seconds})
        self.view.say(summarise(seconds, self.counts))
        for address, error in self.failures.items():
            log = self.request.find_log(self.stages[address])
            if not (self.full_disk and tells_of_full_disk(log)):
                place = log.relative_to(self.request.root)
                self.view.say(f"failed: {self.stages[address].label}: {error} ({place})")
        if self.full_disk:
            self.view.say(_describe_full_disk(self.request.root, self.full_disk))
        return int(bool(self.failures))

    def _start_ready(self) -> None:
        # What is up to date makes others ready at once.
        found = True
        while found:
            found = False
            for address in self.schedule.list_ready():
                if address not in self.stale:
                    if self.stages[address].is_stale():
                        self.stale.add(address)
                    else:
                        self.schedule.finish(address)
                        self.counts[UP_TO_DATE] += 1
                        found = True
        for address in self.schedule.list_ready():
            if len(self.running) >= self.request.jobs or self.full_disk:
                return
            self._start(address)

    def _start(self, address: str) -> None:
        stage = self.stages[address]
        log = self.request.find_log(stage)
        self.processes[address] = self.backend.start(address, log)
        self.schedule.start(address)
        self.running[address] = RunningStage(stage.label, log, time.monotonic())
        self.view.start(stage.label, self._measure_progress())

    def _end(self, address: str, status: int) -> None:
        process = self.processes.pop(address)
        stage = self.running.pop(address)
        seconds = time.monotonic() - stage.since
        self.unkept.add(address.rpartition(":")[0].removesuffix("yaml") + "lock")
        if status == 0:
            self.schedule.finish(address)
            self._note_success(address, stage, seconds)
            return
        process.kill()  # whatever it left, were it killed itself
        lost = self.schedule.give_up(address)
        self.counts[FAILED] += 1
        self.counts[NOT_RUN] += len(lost)
        self.failures[address] = read_error(stage.log)
        if tells_of_full_disk(stage.log):
            self.full_disk = "is full"
        elif _measure_free(self.request.root) < FULL_DISK_MEBIBYTES:
            self.full_disk = self.full_disk or "may be full"
        self.view.say(f"failed: {stage.label} ({describe_seconds(seconds)})")
        # DVC may have been ended while it wrote.
        with suppress(VersioningError):
            heal_locks(self.request.root, list(self.unkept))

    def _note_success(self, address: str, stage: RunningStage, seconds: float) -> None:
        ran = tells_of_run(stage.log)
        self.counts[RAN if ran else RESTORED] += 1
        if ran:
            self.times[address] = seconds
            write_times(self.request.stage_times, self.times)
        self.view.say(f"{'done' if ran else 'restored'}: {stage.label} ({describe_seconds(seconds)})")

    def _keep_locks(self) -> None:
        self.unkept -= {lock for lock in self.unkept if keep_lock(self.request.root, lock)}

    def _measure_progress(self) -> Progress:
        now = time.monotonic()
        elapsed = {address: now - stage.since for address, stage in self.running.items()}
        left = self.schedule.estimate_seconds_left(self.request.jobs, elapsed)
        done = len(self.schedule.done) + self.counts[FAILED]
        return Progress(done, len(self.running), len(self.stages), left)


def _describe_full_disk(root: Path, known: str) -> str:
    free = f"{_measure_free(root):.0f} MiB free"
    return f"{root}: the disk {known} ({free}): make room, then run the same command again to go on"


def _measure_free(root: Path) -> float:
    return shutil.disk_usage(root).free / 2**20
