"""Where a publication comes from: the revision of the code and the versions of the libraries that ran it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from card24_pipeline.provenance import list_versions

SOURCES = ("src", "conf", "params.yaml", ":(exclude)*.lock")
"""What a study is made by; running it writes the lock files and the results."""


def describe_provenance(folder: Path) -> dict[str, str]:
    """Return tags with the git revision of a folder, if it has one, and the versions of Python and the libraries.

    The revision ends in ``-dirty`` where the tracked files of ``SOURCES`` differ from it. Versions are those at
    publication: what DVC restored from its cache may have been made by others.
    """
    versions = list_versions()
    tags = {"card24.python": versions.pop("Python"), "mlflow.source.name": "card24_pipeline"}
    tags |= {f"card24.library.{name}": version for name, version in versions.items()}
    revision = _ask_git(folder, "rev-parse", "--verify", "HEAD")
    if revision and _ask_git(folder, "status", "--porcelain", "--untracked-files=no", "--", *SOURCES):
        revision += "-dirty"
    return tags | ({"card24.git_revision": revision, "mlflow.source.git.commit": revision} if revision else {})


def _ask_git(folder: Path, *command: str) -> str | None:
    """Return what git says; None where it fails or is not there."""
    try:
        done = subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
