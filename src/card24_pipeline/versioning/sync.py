"""Keeps every ``dvc.yaml`` of the project equal to what its Kedro graph says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

from card24_pipeline.versioning.code_closure import CodeClosure
from card24_pipeline.versioning.datasets import SENTINEL_SEEDS, DatasetResolver
from card24_pipeline.versioning.dvc_file import render_dvc_file
from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.files import write_atomically
from card24_pipeline.versioning.parameter_files import ParameterFiles
from card24_pipeline.versioning.scales import BASE_SCALE, Scale, find_scales, get_scale
from card24_pipeline.versioning.seeds import record_seeds
from card24_pipeline.versioning.stages import StageBuilder

DIFF_LINES = 20


@dataclass(frozen=True)
class ProjectRoot:
    """Where a Kedro project lies; it must be bootstrapped.

    Attributes:
        path: Root of the project.
        package: Name of its package.
        source: Folder that holds the package.
    """

    path: Path
    package: str
    source: Path


@dataclass(frozen=True)
class StaleFile:
    """A generated file that no longer says what the graph says.

    Attributes:
        path: The file, relative to the project.
        diff: The first lines of what ``sync`` would change.
    """

    path: str
    diff: str


def sync_scales(project: ProjectRoot, env: str | None = None, seeds: Sequence[int] | None = None) -> dict[str, bool]:
    """Write the ``dvc.yaml`` of one scale or of all.

    Args:
        project: The project.
        env: The scale; None for all of them, or the base scale when seeds are given.
        seeds: Seeds to record first in the scale's parameter file.

    Returns:
        For each file, whether it changed.

    Raises:
        VersioningError: When the graph cannot be written as stages.
    """
    if env is None and seeds is not None:
        env = BASE_SCALE
    scales = find_scales(project.path) if env is None else [get_scale(project.path, env)]
    if seeds is not None:
        record_seeds(project.path / scales[0].parameter_files[-1], seeds)
    # All are rendered before any is written, so that an error leaves no mixture behind.
    texts = _render_scales(project, scales)
    return {path: _write_if_changed(project.path / path, text) for path, text in texts.items()}


def find_stale_files(project: ProjectRoot) -> list[StaleFile]:
    """Compare every ``dvc.yaml`` with the graph.

    Args:
        project: The project.

    Returns:
        The files that ``sync_scales`` would change.

    Raises:
        VersioningError: When the graph cannot be written as stages.
    """
    stale = []
    for path, text in _render_scales(project, find_scales(project.path)).items():
        current = _read_text(project.path / path)
        if current != text:
            lines = unified_diff(current.splitlines(), text.splitlines(), path, f"{path} (synced)", "", "", 1, "")
            diff = list(lines)
            more = [f"… {len(diff) - DIFF_LINES} more lines"] if len(diff) > DIFF_LINES else []
            stale.append(StaleFile(path, "\n".join([*diff[:DIFF_LINES], *more])))
    return stale


def _render_scales(project: ProjectRoot, scales: Sequence[Scale]) -> dict[str, str]:
    from kedro.framework.project import pipelines

    pipeline = pipelines["__default__"]
    code = CodeClosure(project.package, project.source, project.path)
    texts = {}
    for scale in scales:
        first, second = (_load_catalog(project.path, scale.name, seed) for seed in SENTINEL_SEEDS)
        builder = StageBuilder(
            pipeline,
            DatasetResolver(first, second, project.path),
            ParameterFiles.read(project.path, scale),
            code,
        )
        try:
            texts[scale.dvc_file] = render_dvc_file(scale, builder.build())
        except VersioningError as error:
            raise VersioningError(f"scale {scale.name}: {error}") from error
    return texts


def _load_catalog(project: Path, env: str, seed: int) -> dict[str, Any]:
    from kedro.framework.project import settings

    # Kedro's project snapshot would do, if it told `path` and `metadata` beside `filepath`.
    loader = settings.CONFIG_LOADER_CLASS(
        conf_source=str(project / settings.CONF_SOURCE),
        env=env,
        runtime_params={"seed": seed},
        **settings.CONFIG_LOADER_ARGS,
    )
    catalog: dict[str, Any] = loader["catalog"]
    return catalog


def _write_if_changed(path: Path, text: str) -> bool:
    if _read_text(path) == text:
        return False
    write_atomically(path, text)
    return True


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
