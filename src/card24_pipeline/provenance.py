"""What results were made of and with: files, libraries and the machine."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "kedro", "dvc", "mlflow", "numpy", "pandas", "plotly")


def list_versions() -> dict[str, str]:
    """Return the versions of Python and of those of ``LIBRARIES`` that are installed."""
    versions = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def read_processor() -> str:
    """Return the name of the processor."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def digest_files(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """Return the MD5 of every file, as DVC takes it, by its path below a folder; one that is not there is "missing"."""
    return {
        path.relative_to(root).as_posix(): hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else "missing"
        for path in paths
    }
