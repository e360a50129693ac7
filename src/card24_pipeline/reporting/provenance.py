"""What a page was made of and with."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "transformers", "trl", "peft", "kedro", "dvc", "mlflow", "numpy", "pandas", "plotly")


def describe_machine() -> dict[str, str]:
    """Return the versions of libraries, the processor and its cores."""
    facts = {"Python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    return facts | {"processor": _read_processor(), "cores": str(os.cpu_count())}


def digest_files(paths: Iterable[Path]) -> dict[str, str]:
    """Return the MD5 of every file, as DVC takes it; a file that is not there is said to be missing."""
    return {
        path.as_posix(): hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else "missing" for path in paths
    }


def _read_processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
