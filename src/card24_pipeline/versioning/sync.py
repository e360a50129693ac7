"""Keeps every ``dvc.yaml`` of the project equal to what its Kedro graph says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

from card24_pipeline.versioning.code_closure import CodeClosure
from card24_pipeline.versioning.config_loader import FanOutConfigLoader
from card24_pipeline.versioning.datasets import DatasetResolver, choose_sentinels
from card24_pipeline.versioning.dvc_file import render_dvc_file
from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.fan_out import FanOut
from card24_pipeline.versioning.files import read_yaml, write_atomically
from card24_pipeline.versioning.parameter_files import ParameterFiles, list_parameter_files
from card24_pipeline.versioning.recording import record_numbers
from card24_pipeline.versioning.scales import Scale, find_scales, pick_scale
from card24_pipeline.versioning.settings import StagesSettings, read_settings
from card24_pipeline.versioning.stages import StageBuilder

if TYPE_CHECKING:
    from kedro.config import OmegaConfigLoader
    from kedro.framework.startup import ProjectMetadata

DIFF_LINES = 20


def sync_scales(
    project: ProjectMetadata, env: str | None = None, numbers: Mapping[str, Sequence[int]] | None = None
) -> dict[str, bool]:
    """Write the ``dvc.yaml`` of one scale or of all.

    Args:
        project: The project; Kedro must have bootstrapped it.
        env: The scale; None for all of them, or the default scale when numbers are given.
        numbers: Lists to record first in the scale's parameter file, by top-level key.

    Returns:
        For each file, whether it changed.

    Raises:
        VersioningError: When the graph cannot be written as stages.
    """
    scales = _find_scales(project)
    if env is not None or numbers:
        scales = [scales[0] if env is None else pick_scale(scales, env)]
    for key, listed in (numbers or {}).items():
        record_numbers(_choose_file(project, scales[0].name, key), key, listed)
    # All are rendered before any is written, so that an error leaves no mixture behind.
    texts = _render_scales(project, scales)
    stale = {path for path, text in texts.items() if _read_text(project.project_path / path) != text}
    for path in stale:
        write_atomically(project.project_path / path, texts[path])
    return {path: path in stale for path in texts}


def find_stale_files(project: ProjectMetadata) -> dict[str, str]:
    """Compare every ``dvc.yaml`` with the graph.

    Args:
        project: The project; Kedro must have bootstrapped it.

    Returns:
        The files that ``sync_scales`` would change, with the first lines of the difference.

    Raises:
        VersioningError: When the graph cannot be written as stages.
    """
    stale = {}
    for path, text in _render_scales(project, _find_scales(project)).items():
        current = _read_text(project.project_path / path)
        if current != text:
            lines = unified_diff(current.splitlines(), text.splitlines(), path, f"{path} (synced)", "", "", 1, "")
            diff = list(lines)
            more = [f"… {len(diff) - DIFF_LINES} more lines"] if len(diff) > DIFF_LINES else []
            stale[path] = "\n".join([*diff[:DIFF_LINES], *more])
    return stale


def _find_scales(project: ProjectMetadata) -> list[Scale]:
    from kedro.framework.project import settings

    arguments = settings.CONFIG_LOADER_ARGS
    base = arguments.get("base_env", "base")
    return find_scales(project.project_path, settings.CONF_SOURCE, arguments.get("default_run_env", "local"), base)


def _render_scales(project: ProjectMetadata, scales: Sequence[Scale]) -> dict[str, str]:
    settings = read_settings(project.project_path)
    code = CodeClosure(project.package_name, project.source_dir, project.project_path, settings.discovers)
    texts = {}
    for scale in scales:
        try:
            texts[scale.dvc_file] = _render_scale(project, scale, settings, code)
        except VersioningError as error:
            raise VersioningError(f"scale {scale.name}: {error}") from error
    return texts


def _render_scale(project: ProjectMetadata, scale: Scale, settings: StagesSettings, code: CodeClosure) -> str:
    from kedro.framework.project import pipelines

    keys = tuple(settings.fan_out)
    loaders = [_make_loader(project, scale.name, sentinels) for sentinels in choose_sentinels(keys)]
    # Kedro's project snapshot would do, if it told `path` and `metadata` beside `filepath`.
    datasets = DatasetResolver(loaders[0]["catalog"], loaders[1]["catalog"], keys, project.project_path)
    params = ParameterFiles.read(loaders[0], project.project_path)
    fan_out = FanOut(settings.fan_out, loaders[0]["parameters"])
    builder = StageBuilder(pipelines["__default__"], datasets, params, fan_out, code, settings.outputs)
    return render_dvc_file(scale, builder.build(), settings.kept_in_git)


def _make_loader(project: ProjectMetadata, env: str, runtime_params: dict[str, Any] | None = None) -> OmegaConfigLoader:
    from kedro.framework.project import settings

    kind = settings.CONFIG_LOADER_CLASS
    more = {"fill_keys": False} if issubclass(kind, FanOutConfigLoader) else {}
    source = str(project.project_path / settings.CONF_SOURCE)
    return kind(source, env, runtime_params, **settings.CONFIG_LOADER_ARGS, **more)


def _choose_file(project: ProjectMetadata, env: str, key: str) -> Path:
    loader = _make_loader(project, env)
    holders = [path for path in list_parameter_files(loader, env) if key in read_yaml(path)]
    return holders[0] if holders else Path(loader.conf_source, env, "parameters.yml")


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
