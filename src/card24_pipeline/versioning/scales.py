"""Scales: Kedro environments that carry their own parameters, ``dvc.yaml`` and ``dvc.lock``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from card24_pipeline.versioning.errors import VersioningError

BASE_SCALE = "base"


@dataclass(frozen=True)
class Scale:
    """One scale of a project; its paths are relative to the project's root.

    Attributes:
        name: Name of the Kedro environment.
        parameter_files: ``params.yaml`` and, except for the base scale, the overlay on it.
        dvc_file: The generated file.
        wdir: The root, as seen from the folder of ``dvc_file``; None where that is the root.
    """

    name: str
    parameter_files: tuple[str, ...]
    dvc_file: str
    wdir: str | None


def describe_scale(name: str) -> Scale:
    """Return where the files of a scale lie."""
    if name == BASE_SCALE:
        return Scale(name, ("params.yaml",), "dvc.yaml", None)
    return Scale(name, ("params.yaml", f"conf/{name}/parameters.yml"), f"conf/{name}/dvc.yaml", "../..")


def find_scales(project: Path) -> list[Scale]:
    """Find the scales of a project: the base and every ``conf/<scale>/`` whose ``globals.yml`` names a scale.

    Args:
        project: Root of the project.

    Returns:
        The base scale, then the others by name.

    Raises:
        VersioningError: When a ``globals.yml`` names another scale than its folder.
    """
    names = []
    for path in sorted((project / "conf").glob("*/globals.yml")):
        scale = read_yaml(path).get("scale")
        if scale is None:
            continue
        if scale != path.parent.name:
            raise VersioningError(
                f"{path.relative_to(project)}: scale: expected the folder's name '{path.parent.name}', got '{scale}'"
            )
        names.append(path.parent.name)
    return [describe_scale(name) for name in [BASE_SCALE, *(name for name in names if name != BASE_SCALE)]]


def get_scale(project: Path, name: str) -> Scale:
    """Return the scale of a project that has this name.

    Raises:
        VersioningError: When the project has no such scale, listing those it has.
    """
    scales = find_scales(project)
    for scale in scales:
        if scale.name == name:
            return scale
    known = ", ".join(scale.name for scale in scales)
    raise VersioningError(f"no scale '{name}': conf/{name}/globals.yml with `scale: {name}` makes one (known: {known})")


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; a missing or empty file is an empty one.

    Raises:
        VersioningError: When the file holds something else or is no YAML.
    """
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise VersioningError(f"{path}: not valid YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise VersioningError(f"{path}: expected a mapping, got {type(content).__name__}")
    return content
