"""Checkpoints of the study by the names that seed the null models' draws: ``base``, ``sft 40``, ``plain 40``."""

from pathlib import Path

BASE = "base"


def list_steps(parent: Path, prefix: str) -> dict[int, Path]:
    """Return the folders ``<prefix>_<step>`` by their step, ascending."""
    folders = {int(path.name.removeprefix(f"{prefix}_")): path for path in parent.glob(f"{prefix}_*")}
    return dict(sorted(folders.items()))
