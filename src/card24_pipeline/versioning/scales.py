"""Scales: Kedro environments that carry their own parameters, ``dvc.yaml`` and ``dvc.lock``."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path

from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.files import read_yaml


@dataclass(frozen=True)
class Scale:
    """One scale of a project; its paths are relative to the project's root.

    Attributes:
        name: Name of the Kedro environment.
        dvc_file: The generated file.
        wdir: The root, as seen from the folder of ``dvc_file``; None where that is the root.
    """

    name: str
    dvc_file: str
    wdir: str | None


def find_scales(project: Path, conf: str, default: str, base: str) -> list[Scale]:
    """Find the scales of a project: the default one and every ``<conf>/<scale>/`` whose ``globals.yml`` names a scale.

    Args:
        project: Root of the project.
        conf: Its folder of configuration, relative to the root.
        default: The environment of a plain ``kedro run``; its stages stand in ``dvc.yaml`` at the root.
        base: The environment below all others.

    Returns:
        The default scale, then the others by name.

    Raises:
        VersioningError: When a ``globals.yml`` names another scale than its folder.
    """
    scales = [Scale(default, "dvc.yaml", None)]
    for path in sorted((project / conf).glob("*/globals.yml")):
        name, scale = path.parent.name, read_yaml(path).get("scale")
        if scale not in (None, name):
            where = path.relative_to(project)
            raise VersioningError(f"{where}: scale: expected the folder's name '{name}', got '{scale}'")
        if scale and name not in (default, base):
            folder = f"{conf}/{name}"
            scales.append(Scale(name, f"{folder}/dvc.yaml", posixpath.relpath(".", folder)))
    return scales


def pick_scale(scales: list[Scale], name: str) -> Scale:
    """Return the scale that has this name.

    Raises:
        VersioningError: When none has it, listing those there are.
    """
    for scale in scales:
        if scale.name == name:
            return scale
    known = ", ".join(scale.name for scale in scales)
    raise VersioningError(f"no scale '{name}': a globals.yml with `scale: {name}` in its folder makes one ({known})")
