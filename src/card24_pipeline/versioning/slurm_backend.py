"""Stages as jobs of a Slurm cluster, through submitit: one job a stage, on a file system that all nodes share."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from card24_pipeline.versioning.lock_keeper import TEMPORARY
from card24_pipeline.versioning.stage_processes import make_command, make_environment
from card24_pipeline.versioning.validation import VersioningError

if TYPE_CHECKING:
    from submitit import Job


FOLDER = TEMPORARY / "submitit"
# An empty file for each job, by its id, from its submission until its end was seen.
JOBS = FOLDER / "jobs"
PATIENCE_SECONDS = 90.0
POLL_SECONDS = 1.0


class SlurmBackend:
    """Submits stages; what Slurm itself says of a job goes to ``.dvc/tmp/submitit``."""

    def __init__(self, root: Path, options: str = "", cluster: str = "slurm") -> None:
        """Prepare the executor.

        Args:
            root: The project, on the shared file system.
            options: Submitit's parameters, as in ``slurm_partition=gpu,timeout_min=600,gpus_per_node=1``. Without
                ``timeout_min``, submitit lets a job run for five minutes.
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
            self._executor = AutoExecutor(root / FOLDER, cluster=cluster)
            self._executor.update_parameters(name="kedro-dvc", **_parse_options(options))
        except (RuntimeError, NameError, TypeError, ValueError, AssertionError) as error:
            raise VersioningError(f"--slurm: {' '.join(str(error).split())}") from error

    def start(self, address: str, log: Path) -> SlurmProcess:
        """Submit a stage."""
        note = self._root / JOBS
        for folder in (log.parent, note):
            folder.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        job = self._executor.submit(run_stage, self._root, address, log)
        (note / job.job_id).touch()
        return SlurmProcess(job, log, note / job.job_id)


class SlurmProcess:
    """A stage that waits for its node or runs there."""

    def __init__(self, job: Job[int], log: Path, note: Path) -> None:
        """Take the job, the file for what it writes and the one that says it was submitted."""
        self._job = job
        self._log = log
        self._note = note

    def poll(self) -> int | None:
        """Return the exit status; None while the job waits or runs. A job that Slurm ended counts as failed."""
        if not self._job.done():
            return None
        self._note.unlink(missing_ok=True)
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


def is_shared(root: Path) -> bool:
    """Tell whether stages of a checkout have run on other machines."""
    return (root / JOBS).exists()


def cancel_jobs(root: Path) -> int:
    """Cancel jobs of an earlier run that Slurm still knows, and wait until they are gone, so that none has a twin.

    Returns:
        How many there were.

    Raises:
        VersioningError: If Slurm cannot be asked, or jobs do not end.
    """
    noted = {path.name: path for path in (root / JOBS).glob("*")}
    known = _list_jobs(noted) if noted else set()
    count, deadline = len(known), time.monotonic() + PATIENCE_SECONDS
    if known:
        _ask_slurm(["scancel", *sorted(known)], known)
    while known:
        if time.monotonic() > deadline:
            raise VersioningError(f"jobs {', '.join(sorted(known))} of an earlier run do not end: see `squeue --me`")
        time.sleep(POLL_SECONDS)
        known = _list_jobs(noted)
    for path in noted.values():
        path.unlink(missing_ok=True)
    return count


def _list_jobs(ids: Collection[str]) -> set[str]:
    return set(ids) & set(_ask_slurm(["squeue", "--me", "--noheader", "--format=%A"], ids).split())


def _ask_slurm(command: Sequence[str], jobs: Collection[str]) -> str:
    try:
        # Cancelling also fails for a job that has just ended.
        return subprocess.run(command, capture_output=True, text=True, check=command[0] == "squeue").stdout
    except (OSError, subprocess.CalledProcessError) as error:
        said = " ".join((getattr(error, "stderr", "") or str(error)).split())
        raise VersioningError(
            f"jobs {', '.join(sorted(jobs))} of an earlier run may be at work, and {command[0]} fails ({said}): go on "
            f"where it works, or remove {JOBS} once they are gone"
        ) from error


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
