"""Runs the stages of a scale side by side with DVC's own commands; ``kedro dvc run``."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.versioning.driver_view import (
    DriverView,
    RunningStage,
    Standing,
    describe_seconds,
    summarise,
)
from card24_pipeline.versioning.lock_keeper import (
    find_lock_files,
    heal_list_of_users,
    heal_locks,
    keep_lock,
    put_in_order,
)
from card24_pipeline.versioning.scheduling import Schedule
from card24_pipeline.versioning.settings import read_settings
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
    from card24_pipeline.versioning.dvc_graph import DvcGraph, GraphStage

POLL_SECONDS = 0.05
FULL_DISK_MEBIBYTES = 16
STOPPED_STATUS = 130
OUTCOMES = ("ran", "restored from the run-cache", "up to date", "failed", "not run")


@dataclass(frozen=True)
class DriverRequest:
    """What to run.

    Attributes:
        root: The project.
        conf_source: Its folder of configuration, relative to the root.
        outputs: Folder below which times and logs go, each in a hidden folder of its own.
        env: The scale.
        default_env: The scale whose stages are in the root's own ``dvc.yaml``.
        jobs: How many stages may run side by side.
        stages: Names of the stages to run with all that they wait for; none for all.
    """

    root: Path
    conf_source: str
    outputs: str
    env: str
    default_env: str
    jobs: int
    stages: Sequence[str] = ()

    @property
    def stage_times(self) -> Path:
        """The file of the stages' wall seconds."""
        return self.root / self.outputs / ".timings" / self.env / "stages.json"

    @property
    def study_time(self) -> Path:
        """The file of the wall seconds of the last run that ran every stage."""
        return self.stage_times.with_name("study.json")

    def find_log(self, stage: GraphStage) -> Path:
        """Return the file for what a stage writes."""
        return self.root / self.outputs / ".logs" / self.env / f"{stage.label}.log"


def make_request(project: Path, env: str | None, jobs: int, stages: Sequence[str]) -> DriverRequest:
    """Make a request from the settings of a project that Kedro has bootstrapped; without a scale, for the default."""
    from kedro.framework.project import settings

    default = settings.CONFIG_LOADER_ARGS.get("default_run_env", "local")
    outputs = read_settings(project / settings.CONF_SOURCE).outputs
    return DriverRequest(project, settings.CONF_SOURCE, outputs, env or default, default, jobs, stages)


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        raise VersioningError(_describe_full_disk(request.root)) from error


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
    count = end_leftovers(root)
    ended = [f"ended {count} processes that a killed run had left"] if count else []
    return [*ended, *heal_list_of_users(root), *heal_locks(root, find_lock_files(root, conf_source))]


def _tidy_locks(root: Path, graph: DvcGraph, view: DriverView) -> None:
    try:
        for line in heal_locks(root, list(graph.orders)):
            view.say(line)
        put_in_order(root, graph.orders)
    except VersioningError as error:
        view.say(error.message)


@dataclass
class _Run:
    request: DriverRequest
    graph: DvcGraph
    backend: Backend
    view: DriverView
    processes: dict[str, StageProcess] = field(default_factory=dict)
    running: dict[str, RunningStage] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    disk_is_full: bool = False

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.stages = self.graph.select(self.request.stages)
        self.times = read_times(self.request.stage_times)
        waits = {address: stage.waits_for for address, stage in self.stages.items()}
        self.schedule = Schedule(waits, guess_times(self.stages, self.times))
        self.stale: set[str] = set()
        self.unkept = set(self.graph.orders)

    def go(self) -> None:
        """Run until nothing runs and nothing is ready."""
        while True:
            self._keep_locks()
            self._start_ready()
            if not self.running:
                return
            self.view.refresh(list(self.running.values()), self._stand())
            time.sleep(POLL_SECONDS)
            for address, process in list(self.processes.items()):
                status = process.poll()
                if status is not None:
                    self._end(address, status)

    def report(self) -> int:
        """Say what became of the stages, a line for each failure; return the exit status."""
        self.counts["not run"] += len(self.schedule.waiting)
        seconds = time.monotonic() - self.began
        if self.counts["ran"] == len(self.graph.stages):
            write_times(self.request.study_time, {"study": seconds})
        self.view.say(summarise(seconds, self.counts))
        for address, error in self.failures.items():
            log = self.request.find_log(self.stages[address])
            if not (self.disk_is_full and tells_of_full_disk(log)):
                place = log.relative_to(self.request.root)
                self.view.say(f"failed: {self.stages[address].label}: {error} ({place})")
        if self.disk_is_full:
            self.view.say(_describe_full_disk(self.request.root))
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
                        self.counts["up to date"] += 1
                        found = True
        for address in self.schedule.list_ready():
            if len(self.running) >= self.request.jobs or self.disk_is_full:
                return
            self._start(address)

    def _start(self, address: str) -> None:
        stage = self.stages[address]
        log = self.request.find_log(stage)
        self.processes[address] = self.backend.start(address, log)
        self.schedule.start(address)
        self.running[address] = RunningStage(stage.label, log, time.monotonic())
        self.view.start(stage.label, self._stand())

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
        self.counts["failed"] += 1
        self.counts["not run"] += len(lost)
        self.failures[address] = read_error(stage.log)
        self.disk_is_full |= tells_of_full_disk(stage.log) or _measure_free(self.request.root) < FULL_DISK_MEBIBYTES
        self.view.say(f"failed: {stage.label} ({describe_seconds(seconds)})")
        # DVC may have been ended while it wrote.
        with suppress(VersioningError):
            heal_locks(self.request.root, list(self.unkept))

    def _note_success(self, address: str, stage: RunningStage, seconds: float) -> None:
        ran = tells_of_run(stage.log)
        self.counts[OUTCOMES[not ran]] += 1
        if ran:
            self.times[address] = seconds
            write_times(self.request.stage_times, self.times)
        self.view.say(f"{'done' if ran else 'restored'}: {stage.label} ({describe_seconds(seconds)})")

    def _keep_locks(self) -> None:
        self.unkept -= {lock for lock in self.unkept if keep_lock(self.request.root, lock)}

    def _stand(self) -> Standing:
        now = time.monotonic()
        elapsed = {address: now - stage.since for address, stage in self.running.items()}
        left = self.schedule.estimate_seconds_left(self.request.jobs, elapsed)
        done = len(self.schedule.done) + self.counts["failed"]
        return Standing(done, len(self.running), len(self.stages), left)


def _describe_full_disk(root: Path) -> str:
    free = f"{_measure_free(root):.0f} MiB free"
    return f"{root}: the disk is full ({free}): make room, then run the same command again to go on"


def _measure_free(root: Path) -> float:
    return shutil.disk_usage(root).free / 2**20
