"""A copy of the project in a folder of its own, with its own git and DVC, for whoever wants to run it for real.

What runs there is the copy's code: its ``src`` comes first on Python's path, before any editable install. Nothing
is installed, and neither data nor DVC's cache nor lock files are taken along, so every stage runs once anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks import PROJECT

PACKAGE = "card24_pipeline"
NOT_COPIED = ("data/", ".venv/")
GIVEN_DATA = "data/00_published/"
_STAGE = r"[Ss]tage '([^']+)'"
_REPLICATE = re.compile(r"/seed_(\d+)/dvc\.yaml$")
_RAN = re.compile(rf"Running {_STAGE}")
_RESTORED = re.compile(rf"{_STAGE} is cached - skipping run")
_LEFT_ALONE = re.compile(rf"{_STAGE} didn't change, skipping")
# What would make the copy's tools act on another project, or otherwise than they do by default.
_FOREIGN_VARIABLES = ("GIT_", "DVC_", "KEDRO_", "CARD24_", "MLFLOW_", "PYTHONPATH")


class CloneError(RuntimeError):
    """A command in the clone failed, or the clone would not run its own code."""


@dataclass(frozen=True)
class Reproduction:
    """What one ``dvc repro`` did with each stage.

    Attributes:
        ran: Stages whose command ran, in this order.
        restored: Stages whose outputs came back from DVC's run cache.
        left_alone: Stages that were up to date.
        wall_seconds: How long it took.
    """

    ran: tuple[str, ...]
    restored: tuple[str, ...]
    left_alone: tuple[str, ...]
    wall_seconds: float

    @property
    def stages(self) -> int:
        """How many stages there are."""
        return len(self.ran) + len(self.restored) + len(self.left_alone)


class StudyClone:
    """A copy of the project at one scale."""

    def __init__(self, root: Path, scale: str) -> None:
        """Take a folder that :func:`clone_study` filled.

        Args:
            root: Root of the copy.
            scale: Its scale, one with a ``conf/<scale>/dvc.yaml``.
        """
        self.root = root
        self.scale = scale
        self.dvc_file = f"conf/{scale}/dvc.yaml"
        self.package = root / "src" / PACKAGE
        self._environment = _describe_environment(root)

    @property
    def stage_files(self) -> list[str]:
        """The files of the scale's stages, those of each seed among them."""
        found = [self.root / self.dvc_file, *sorted(self.root.glob(f"conf/{self.scale}/seed_*/dvc.yaml"))]
        return [path.relative_to(self.root).as_posix() for path in found]

    @property
    def lock_files(self) -> list[Path]:
        """The lock files beside them."""
        return [(self.root / name).with_name("dvc.lock") for name in self.stage_files]

    def read_stages(self) -> dict[str, Any]:
        """Read what the files say of each stage, by the names of :func:`name_stage`."""
        return {
            name_stage(f"{file}:{name}"): stage
            for file in self.stage_files
            for name, stage in yaml.safe_load((self.root / file).read_text(encoding="utf-8"))["stages"].items()
        }

    def run(
        self, *command: str, check: bool = True, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a tool of this interpreter's environment at the root of the copy.

        Args:
            *command: The tool and its arguments.
            check: Whether a failure is an error.
            variables: Environment variables to add.

        Raises:
            CloneError: When ``check`` is set and the command fails; with the end of what it wrote.
        """
        result = subprocess.run(
            command,
            cwd=self.root,
            env={**self._environment, **(variables or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and result.returncode:
            end = (result.stdout + result.stderr)[-4000:]
            raise CloneError(f"`{' '.join(command)}` ended with status {result.returncode}:\n{end}")
        return result

    def start(self, *command: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a tool as the leader of a process group of its own.

        Args:
            *command: The tool and its arguments.
            log: File for what it writes.
        """
        with log.open("wb") as stream:
            return subprocess.Popen(
                command,
                cwd=self.root,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def reproduce(self, *options: str) -> Reproduction:
        """Run ``dvc repro`` at this scale.

        Args:
            *options: Further options, such as ``--force``.

        Raises:
            CloneError: When a stage fails.
        """
        started = time.perf_counter()
        text = self.run("dvc", "repro", *options, self.dvc_file).stdout
        seconds = time.perf_counter() - started
        ran, restored, left = (
            tuple(map(name_stage, pattern.findall(text))) for pattern in (_RAN, _RESTORED, _LEFT_ALONE)
        )
        return Reproduction(ran, restored, left, wall_seconds=seconds)

    def commit(self) -> None:
        """Commit every file that git does not ignore; :meth:`restore` comes back to it."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--allow-empty", "--message", "State to come back to")

    def restore(self) -> None:
        """Bring files, data and lock files back to the last commit, and remove all that came since."""
        self.run("git", "checkout", "--quiet", "--", ".")
        self.run("git", "clean", "--quiet", "--force", "-d")
        self.run("git", "clean", "--quiet", "--force", "-d", "-x", "data")
        self.run("dvc", "checkout", "--quiet", *self.stage_files)

    @contextmanager
    def edit(self, texts: Mapping[str, str]) -> Iterator[None]:
        """Give files other texts for a while.

        Args:
            texts: New text by path relative to the root.
        """
        before = {name: (self.root / name).read_text(encoding="utf-8") for name in texts}
        try:
            for name, text in texts.items():
                (self.root / name).write_text(text, encoding="utf-8")
            yield
        finally:
            for name, text in before.items():
                (self.root / name).write_text(text, encoding="utf-8")


def name_stage(address: str) -> str:
    """Name a stage by what DVC calls it: ``train_sft-main@0`` for ``conf/smoke/seed_0/dvc.yaml:train_sft-main``."""
    file, _, name = address.rpartition(":")
    seed = _REPLICATE.search(file)
    return f"{name}@{seed[1]}" if seed else name


def clone_study(root: Path, scale: str = "smoke") -> StudyClone:
    """Copy the project as it stands, uncommitted changes included, and make the copy a repository.

    Args:
        root: A folder that does not exist yet.
        scale: The scale to run.

    Raises:
        CloneError: When the copy would run other code than its own.
    """
    for name in _list_files():
        source, target = PROJECT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    clone = StudyClone(root, scale)
    _check_code(clone)
    clone.run("git", "init", "--quiet")
    # A no-op unless the project's own files are stale, of which `make lint` tells.
    clone.run("kedro", "dvc", "sync")
    clone.commit()
    return clone


def _list_files() -> list[str]:
    """List what git tracks and what it would, except lock files and data that the study makes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = [
        name for name in listed.split("\0") if name.startswith(GIVEN_DATA) or (name and not name.startswith(NOT_COPIED))
    ]
    # A deleted file is listed until its deletion is committed; a link counts as there wherever it points.
    return [name for name in names if os.path.lexists(PROJECT / name) and not name.endswith("dvc.lock")]


def _describe_environment(root: Path) -> dict[str, str]:
    """Describe an environment in which tools see the copy and no configuration of this machine's user."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_VARIABLES)}
    private = root / ".git/machine"
    author = {f"GIT_{role}_{part}": "clone" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    return {
        **kept,
        **author,
        # On models this small a second thread only waits, and on a busy machine it waits long.
        "OMP_NUM_THREADS": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        "PYTHONPATH": str(root / "src"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(private / "dvc_global"),
        "DVC_SYSTEM_CONFIG_DIR": str(private / "dvc_system"),
        "DVC_SITE_CACHE_DIR": str(private / "dvc_site"),
        "DVC_NO_ANALYTICS": "1",
        "KEDRO_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "COLUMNS": "200",
    }


def _check_code(clone: StudyClone) -> None:
    """Check that Python and Kedro, started in the copy, import the copy's package."""
    line = f"import {PACKAGE}; print({PACKAGE}.__file__)"
    found = Path(clone.run("python", "-c", line).stdout.strip())
    if not found.resolve().is_relative_to(clone.root.resolve()):
        raise CloneError(f"{PACKAGE} would be imported from {found}, not from {clone.root}")
