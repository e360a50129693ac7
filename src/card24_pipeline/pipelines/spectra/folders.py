"""Checkpoints of the study by the names that seed the null models' draws."""

from __future__ import annotations

from pathlib import Path

BASE = "base"


def name_checkpoint(kind: str, step: int) -> str:
    """Return the name of a checkpoint: ``sft 40``, or ``plain 40`` after the arm of RL that began at step 40."""
    return f"{kind} {step}"


def list_steps(parent: Path, prefix: str) -> dict[int, Path]:
    """Return the folders ``<prefix>_<step>`` by their step, ascending."""
    folders = {int(path.name.removeprefix(f"{prefix}_")): path for path in parent.glob(f"{prefix}_*")}
    return dict(sorted(folders.items()))
