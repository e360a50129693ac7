"""Where a publication comes from: the revision of the code and the versions of the libraries that ran it."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("datasets", "dvc", "kedro", "mlflow", "numpy", "pandas", "torch", "transformers", "trl")


def describe_provenance(folder: Path) -> dict[str, str]:
    """Return tags with the git revision of a folder, if it has one, and the versions of Python and ``LIBRARIES``.

    They are those at publication: what DVC restored from its cache may have been made by others.
    """
    tags = {"card24.python": platform.python_version(), "mlflow.source.name": "card24_pipeline"}
    for name in LIBRARIES:
        try:
            tags[f"card24.library.{name}"] = version(name)
        except PackageNotFoundError:
            continue
    revision = _read_revision(folder)
    return tags | ({"card24.git_revision": revision, "mlflow.source.git.commit": revision} if revision else {})


def _read_revision(folder: Path) -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
