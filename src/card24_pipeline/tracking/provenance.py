"""Where a publication comes from: the revision of the code and the versions of the libraries that ran it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from card24_pipeline.provenance.machine import list_versions


def describe_provenance(folder: Path) -> dict[str, str]:
    """Return tags with the git revision of a folder, if it has one, and the versions of Python and the libraries.

    They are those at publication: what DVC restored from its cache may have been made by others.
    """
    versions = list_versions()
    tags = {"card24.python": versions.pop("Python"), "mlflow.source.name": "card24_pipeline"}
    tags |= {f"card24.library.{name}": version for name, version in versions.items()}
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
