"""Keeps every ``dvc.yaml`` of the project equal to what its Kedro graph says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.versioning.code_closure import CodeClosure
from card24_pipeline.versioning.config_loader import make_loader
from card24_pipeline.versioning.datasets import describe_datasets, mark_keys
from card24_pipeline.versioning.dvc_file import DVC_FILE, HEADER, LOCK_FILE, render_dvc_files
from card24_pipeline.versioning.fan_out import FanOut
from card24_pipeline.versioning.files import read_yaml, record_numbers, write_atomically
from card24_pipeline.versioning.lock_keeper import drop_former_entries
from card24_pipeline.versioning.parameter_files import ParameterFiles, list_parameter_files
from card24_pipeline.versioning.settings import StagesSettings, read_settings
from card24_pipeline.versioning.stages import Stage, StageBuilder, is_data
from card24_pipeline.versioning.validation import VersioningError

if TYPE_CHECKING:
    from kedro.framework.startup import ProjectMetadata

DIFF_LINES = 20


@dataclass(frozen=True)
class Scale:
    """A Kedro environment with its own parameters, stages and lock files.

    Attributes:
        file: Its generated file, relative to the project.
        folder: That of its configuration, where files of single values of a fan-out key lie.
    """

    file: str
    folder: str


def sync_scales(
    project: ProjectMetadata, env: str | None = None, numbers: Mapping[str, Sequence[int]] | None = None
) -> dict[str, str]:
    """Write every ``dvc.yaml`` of one scale or of all, and drop what is no stage any more.

    Generated files of values that are not listed any more go; their lock files stay, so that DVC runs nothing anew when
    a value comes back. From the other lock files go the entries of stages that there are no more.

    Args:
        project: The project; Kedro must have bootstrapped it.
        env: The scale; None for all of them, or the default scale when numbers are given.
        numbers: Lists to record first in the scale's parameter file, by top-level key.

    Returns:
        For each file, what was done: ``written``, ``up to date``, ``removed``, or what became of a lock file.

    Raises:
        ClickException: When the graph cannot be written as stages, or a hook of the project refuses a parameter.
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
    return _write_files(project, scales, texts)


def _write_files(project: ProjectMetadata, scales: Mapping[str, Scale], texts: Mapping[str, str]) -> dict[str, str]:
    done = {}
    for path, text in texts.items():
        file = project.project_path / path
        done[path] = "up to date" if _read_text(file) == text else "written"
        if done[path] == "written":
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, text)
        lock = str(Path(path).with_name(LOCK_FILE))
        if pruned := _prune(project.project_path, lock):
            done[lock] = pruned
    for path in _find_leftovers(project, scales, texts):
        (project.project_path / path).unlink()
        done[path] = "removed (its lock file stays)"
    return done


def find_stale_files(project: ProjectMetadata) -> dict[str, str]:
    """Compare every ``dvc.yaml`` with the graph of a project that Kedro has bootstrapped.

    Returns:
        The files that ``sync_scales`` would change, with the first lines of the difference, and those it would remove.

    Raises:
        ClickException: When the graph cannot be written as stages, or a hook of the project refuses a parameter.
    """
    stale = {}
    scales = _find_scales(project)
    texts = _render_scales(project, scales)
    for path, text in texts.items():
        current = _read_text(project.project_path / path)
        if current != text:
            names = (path, f"{path} (synced)")
            diff = list(unified_diff(current.splitlines(), text.splitlines(), *names, n=1, lineterm=""))
            more = [f"… {len(diff) - DIFF_LINES} more lines"] if len(diff) > DIFF_LINES else []
            stale[path] = "\n".join([*diff[:DIFF_LINES], *more])
    leftovers = _find_leftovers(project, scales, texts)
    return stale | {path: f"{path}: left over, no value that is listed has it" for path in leftovers}


def _find_scales(project: ProjectMetadata) -> dict[str, Scale]:
    """Find the default scale, then by name those of every folder of configuration whose ``globals.yml`` names it."""
    from kedro.framework.project import settings

    default = settings.CONFIG_LOADER_ARGS.get("default_run_env", "local")
    scales = {default: Scale(DVC_FILE, f"{settings.CONF_SOURCE}/{default}")}
    for path in sorted((project.project_path / settings.CONF_SOURCE).glob("*/globals.yml")):
        name, scale = path.parent.name, read_yaml(path).get("scale")
        folder = path.parent.relative_to(project.project_path).as_posix()
        if scale not in (None, name):
            raise VersioningError(f"{folder}/globals.yml: scale: expected the folder's name '{name}', got '{scale}'")
        if scale and name not in (default, settings.CONFIG_LOADER_ARGS.get("base_env", "base")):
            scales[name] = Scale(f"{folder}/{DVC_FILE}", folder)
    return scales


def _find_leftovers(project: ProjectMetadata, scales: Mapping[str, Scale], texts: Mapping[str, str]) -> list[str]:
    """List generated files in the folders of scales that are none of these texts."""
    root = project.project_path
    found = sorted(path for scale in scales.values() for path in (root / scale.folder).rglob(DVC_FILE))
    names = [path.relative_to(root).as_posix() for path in found if _read_text(path).startswith(HEADER)]
    return [name for name in names if name not in texts]


def _prune(root: Path, lock: str) -> str:
    """Drop from a lock file the entries of former stages, and say so; nothing where it has none."""
    try:
        gone = drop_former_entries(root, lock)
    except VersioningError as error:
        return f"left as it is: {error}"
    return f"{len(gone)} entries of former stages dropped" if gone else ""


def _render_scales(project: ProjectMetadata, scales: Mapping[str, Scale]) -> dict[str, str]:
    settings = read_settings(project.project_path)
    code = CodeClosure(project.package_name, project.source_dir, project.project_path, settings.discovers)
    texts: dict[str, str] = {}
    for name, scale in scales.items():
        _check_parameters(project, name)
        try:
            stages = _build_stages(project, name, settings, code)
        except VersioningError as error:
            raise VersioningError(f"scale {name}: {error}") from error
        texts |= render_dvc_files(name, scale.file, scale.folder, stages, settings.kept_in_git)
    return texts


def _check_parameters(project: ProjectMetadata, env: str) -> None:
    """Let the project's hooks check a scale's parameters: those that have ``check_parameters(loader, project)``."""
    from kedro.framework.project import settings

    for hook in settings.HOOKS:
        if hasattr(hook, "check_parameters"):
            hook.check_parameters(make_loader(project.project_path, env), project.project_path)


def _build_stages(project: ProjectMetadata, env: str, settings: StagesSettings, code: CodeClosure) -> list[Stage]:
    from kedro.framework.project import pipelines

    pipeline, keys = pipelines["__default__"], settings.fan_out
    loader = make_loader(project.project_path, env, mark_keys(keys))
    # Kedro's project snapshot would do, if it gave `path` and `metadata` beside `filepath`.
    datasets = describe_datasets(loader["catalog"], filter(is_data, pipeline.datasets()), keys, project.project_path)
    params = ParameterFiles.read(loader, project.project_path)
    fan_out = FanOut(keys, loader["parameters"])
    return StageBuilder(pipeline, datasets, params, fan_out, code, settings.outputs, settings.everywhere).build()


def _choose_file(project: ProjectMetadata, env: str, key: str) -> Path:
    loader = make_loader(project.project_path, env)
    holders = [path for path in list_parameter_files(loader, env) if key in read_yaml(path)]
    return holders[0] if holders else Path(loader.conf_source, env, "parameters.yml")


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
