"""Keeps every ``dvc.yaml`` of the project equal to what its Kedro graph says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

from card24_pipeline.versioning.code_closure import CodeClosure
from card24_pipeline.versioning.config_loader import FanOutConfigLoader
from card24_pipeline.versioning.datasets import describe_datasets, mark_keys
from card24_pipeline.versioning.dvc_file import render_dvc_file
from card24_pipeline.versioning.fan_out import FanOut
from card24_pipeline.versioning.files import read_yaml, record_numbers, write_atomically
from card24_pipeline.versioning.parameter_files import ParameterFiles, list_parameter_files
from card24_pipeline.versioning.settings import StagesSettings, read_settings
from card24_pipeline.versioning.stages import Stage, StageBuilder, is_data
from card24_pipeline.versioning.validation import VersioningError

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
    before: dict[Path, str | None] = {}
    if env is not None or numbers:
        name = env or next(iter(scales))
        if name not in scales:
            remedy = f"a globals.yml with `scale: {name}` in its folder makes one"
            raise VersioningError(f"no scale '{name}': {remedy} ({', '.join(scales)})")
        scales = {name: scales[name]}
        for key, listed in (numbers or {}).items():
            file = _choose_file(project, name, key)
            before.setdefault(file, file.read_text(encoding="utf-8") if file.exists() else None)
            record_numbers(file, key, listed)
    # All are rendered before any is written, and numbers taken back, so that an error leaves no mixture behind.
    try:
        texts = _render_scales(project, scales)
    except BaseException:
        for recorded, content in before.items():
            recorded.unlink() if content is None else write_atomically(recorded, content)
        raise
    stale = {path for path, text in texts.items() if _read_text(project.project_path / path) != text}
    for path in stale:
        write_atomically(project.project_path / path, texts[path])
    return {path: path in stale for path in texts}


def find_stale_files(project: ProjectMetadata) -> dict[str, str]:
    """Compare every ``dvc.yaml`` with the graph of a project that Kedro has bootstrapped.

    Returns:
        The files that ``sync_scales`` would change, with the first lines of the difference.

    Raises:
        VersioningError: When the graph cannot be written as stages.
    """
    stale = {}
    for path, text in _render_scales(project, _find_scales(project)).items():
        current = _read_text(project.project_path / path)
        if current != text:
            names = (path, f"{path} (synced)")
            diff = list(unified_diff(current.splitlines(), text.splitlines(), *names, n=1, lineterm=""))
            more = [f"… {len(diff) - DIFF_LINES} more lines"] if len(diff) > DIFF_LINES else []
            stale[path] = "\n".join([*diff[:DIFF_LINES], *more])
    return stale


def _find_scales(project: ProjectMetadata) -> dict[str, str]:
    """Return the generated file of each scale, a Kedro environment with its own parameters, stages and lock file.

    These are the default one, then by name every folder of configuration whose ``globals.yml`` names it.
    """
    from kedro.framework.project import settings

    default = settings.CONFIG_LOADER_ARGS.get("default_run_env", "local")
    scales = {default: "dvc.yaml"}
    for path in sorted((project.project_path / settings.CONF_SOURCE).glob("*/globals.yml")):
        name, scale = path.parent.name, read_yaml(path).get("scale")
        folder = path.parent.relative_to(project.project_path).as_posix()
        if scale not in (None, name):
            raise VersioningError(f"{folder}/globals.yml: scale: expected the folder's name '{name}', got '{scale}'")
        if scale and name not in (default, settings.CONFIG_LOADER_ARGS.get("base_env", "base")):
            scales[name] = f"{folder}/dvc.yaml"
    return scales


def _render_scales(project: ProjectMetadata, scales: Mapping[str, str]) -> dict[str, str]:
    settings = read_settings(project.project_path)
    code = CodeClosure(project.package_name, project.source_dir, project.project_path, settings.discovers)
    texts = {}
    for scale, file in scales.items():
        try:
            stages = _build_stages(project, scale, settings, code)
        except VersioningError as error:
            raise VersioningError(f"scale {scale}: {error}") from error
        texts[file] = render_dvc_file(scale, file, stages, settings.kept_in_git)
    return texts


def _build_stages(project: ProjectMetadata, env: str, settings: StagesSettings, code: CodeClosure) -> list[Stage]:
    from kedro.framework.project import pipelines

    pipeline, keys = pipelines["__default__"], settings.fan_out
    loader = _make_loader(project, env, mark_keys(keys))
    # Kedro's project snapshot would do, if it told `path` and `metadata` beside `filepath`.
    datasets = describe_datasets(loader["catalog"], filter(is_data, pipeline.datasets()), keys, project.project_path)
    params = ParameterFiles.read(loader, project.project_path)
    fan_out = FanOut(keys, loader["parameters"])
    return StageBuilder(pipeline, datasets, params, fan_out, code, settings.outputs).build()


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
