"""Stages as jobs of a Slurm cluster, through submitit: one job a stage, on a file system that all nodes share."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from card24_pipeline.versioning.lock_keeper import TEMPORARY
from card24_pipeline.versioning.stage_processes import make_command, make_environment
from card24_pipeline.versioning.validation import VersioningError

if TYPE_CHECKING:
    from submitit import Job


class SlurmBackend:
    """Submits stages; what Slurm itself says of a job goes to ``.dvc/tmp/submitit``."""

    def __init__(self, root: Path, options: str = "", cluster: str = "slurm") -> None:
        """Prepare the executor.

        Args:
            root: The project, on the shared file system.
            options: Submitit's parameters, as in ``slurm_partition=gpu,timeout_min=600,gpus_per_node=1``.
            cluster: Submitit's name of the cluster; ``local`` runs jobs here, without Slurm.

        Raises:
            VersioningError: If submitit or Slurm is missing, or an option is none.
        """
        try:
            from submitit import AutoExecutor
        except ImportError as error:
            raise VersioningError("--slurm needs submitit: pip install 'card24-pipeline[slurm]'") from error
        self._root = root
        try:
            self._executor = AutoExecutor(root / TEMPORARY / "submitit", cluster=cluster)
            self._executor.update_parameters(name="kedro-dvc", **_parse_options(options))
        except (RuntimeError, NameError, TypeError, ValueError, AssertionError) as error:
            raise VersioningError(f"--slurm: {' '.join(str(error).split())}") from error

    def start(self, address: str, log: Path) -> SlurmProcess:
        """Submit a stage."""
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        return SlurmProcess(self._executor.submit(run_stage, self._root, address, log), log)


class SlurmProcess:
    """A stage that waits for its node or runs there."""

    def __init__(self, job: Job[int], log: Path) -> None:
        """Take the job."""
        self._job = job
        self._log = log

    def poll(self) -> int | None:
        """Return the exit status; None while the job waits or runs. A job that Slurm ended counts as failed."""
        if not self._job.done():
            return None
        try:
            return int(self._job.result())
        except Exception as error:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"\n{type(error).__name__}: {' '.join(str(error).split())}\n")
            return 1

    def interrupt(self) -> None:
        """Cancel the job."""
        self._job.cancel(check=False)

    kill = interrupt


def run_stage(root: Path, address: str, log: Path) -> int:
    """Run a stage on the node and return its exit status."""
    with log.open("ab") as stream:
        environment = make_environment(root)
        return subprocess.run(
            make_command(address), cwd=root, env=environment, stdout=stream, stderr=subprocess.STDOUT, check=False
        ).returncode


def _parse_options(text: str) -> dict[str, Any]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    if wrong := [key for key, sign, _ in pairs if not sign]:
        raise VersioningError(f"--slurm: expected KEY=VALUE separated by commas, got '{wrong[0]}'")
    return {key.strip(): int(value) if value.isdigit() else value for key, _, value in pairs}
