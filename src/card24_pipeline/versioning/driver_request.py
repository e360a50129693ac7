"""What a driver is asked to run, and where it keeps what it notes of that."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from card24_pipeline.versioning.config_loader import make_loader
from card24_pipeline.versioning.dvc_graph import find_dvc_files
from card24_pipeline.versioning.settings import StagesSettings, read_settings

if TYPE_CHECKING:
    from card24_pipeline.versioning.dvc_graph import GraphStage


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


def make_request(project: Path, env: str | None, jobs: int | None, stages: Sequence[str]) -> DriverRequest:
    """Make a request from the settings of a project that Kedro has bootstrapped.

    Args:
        project: Its root.
        env: The scale; None for the default one.
        jobs: How many stages may run side by side; None to choose by the scale's parameters.
        stages: See :class:`DriverRequest`.

    Raises:
        VersioningError: If there is no such scale.
    """
    from kedro.framework.project import settings

    default = settings.CONFIG_LOADER_ARGS.get("default_run_env", "local")
    own, env = read_settings(project / settings.CONF_SOURCE), env or default
    if jobs is None:
        find_dvc_files(project, settings.CONF_SOURCE, env, default)
        jobs = choose_jobs(own, make_loader(project, env)["parameters"], count_cores())
    return DriverRequest(project, settings.CONF_SOURCE, own.outputs, env, default, jobs, stages)


def choose_jobs(settings: StagesSettings, parameters: Mapping[str, Any], cores: int) -> int:
    """Choose how many stages run side by side: as many as have cores for their threads, and on another device one."""
    if settings.device is not None and parameters.get(settings.device, "cpu") != "cpu":
        return 1
    threads = parameters.get(settings.threads, 1) if settings.threads is not None else 1
    # What is no number of threads is for the check of the parameters to refuse.
    return max(1, cores // threads) if isinstance(threads, int) and threads > 0 else 1


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
