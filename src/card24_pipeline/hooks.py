"""Pins the threads and checks the whole parameter file before any node runs, tidies up after a run that succeeded,
helps kedro viz."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from kedro.framework.hooks import hook_impl

from card24_pipeline.graph_view import is_for_viewing, prepare_catalog

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from pydantic import BaseModel, ValidationError

    from card24_pipeline.versioning.config_loader import FanOutConfigLoader
    from card24_pipeline.versioning.parameter_files import ParameterFiles


THREADS = "threads"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class ParameterFileError(click.ClickException):
    """A wrong value or an unknown key in a parameter file; Kedro's CLI shows it without a traceback."""


def load_study_parameters() -> type[BaseModel]:
    """Return the model of the whole parameter file."""
    from card24_pipeline.pipelines.parameters import ProjectParams

    return ProjectParams


class ProjectHooks:
    """Hooks of the project."""

    def __init__(self, load_model: Callable[[], type[BaseModel]] = load_study_parameters) -> None:
        """Take what returns the model to check against, called only when parameters are about to be used."""
        self._load_model = load_model

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Pin the threads of the run's scale and check its parameters, and in a plain ``dvc repro`` DVC's locks.

        Raises:
            ParameterFileError: When a value is wrong or a key unknown, naming file, key and expectation.
            VersioningError: When a lock file is damaged, naming the remedy.
        """
        from card24_pipeline.versioning.lock_keeper import prepare_stage

        loader = context.config_loader
        prepare_stage(context.project_path, Path(loader.conf_source).name)
        # Not `context.params`: reading that makes Kedro check every node's type hints first, its own way.
        if THREADS in loader["parameters"]:
            pin_threads(loader["parameters"][THREADS])
        self.check_parameters(loader, context.project_path)

    def check_parameters(self, loader: FanOutConfigLoader, project: Path) -> None:
        """Check what a loader read of a scale's parameters, but for a run's own keys; stages are made of no others.

        Raises:
            ParameterFileError: When a value is wrong or a key unknown, naming file, key and expectation.
        """
        from pydantic import ValidationError

        model = self._load_model()
        params = {key: value for key, value in loader["parameters"].items() if key not in loader.fan_out}
        try:
            model.model_validate(params)
        except ValidationError as error:
            raise ParameterFileError(describe_errors(error, model, loader, project)) from error

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol) -> None:
        """Name and show datasets as the graph does that kedro viz shows."""
        if is_for_viewing():
            from kedro.framework.project import pipelines

            dict(pipelines)  # which merges them, if nobody asked for them before
            prepare_catalog(catalog)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Remove the progress folders of a run whose outputs are all in place."""
        from card24_pipeline.catalog.paths import ProgressFolderDataset

        for name in pipeline.inputs():
            dataset = catalog.get(name)
            if isinstance(dataset, ProgressFolderDataset):
                shutil.rmtree(dataset.load(), ignore_errors=True)


def pin_threads(threads: int) -> None:
    """Let this process and its children compute with so many threads, whatever the environment says.

    How sums are split, and so their last digits, depends on the threads: by default on the cores of the machine.
    Numbers that no library takes are left for the check of the parameters to refuse.
    """
    # The libraries read these variables once, when they are loaded; MKL would else take no more than there are cores.
    os.environ.update({**dict.fromkeys(THREAD_VARIABLES, str(threads)), "MKL_DYNAMIC": "FALSE"})
    if "torch" in sys.modules and type(threads) is int and threads > 0:
        sys.modules["torch"].set_num_threads(threads)


def describe_errors(error: ValidationError, model: type[BaseModel], loader: FanOutConfigLoader, project: Path) -> str:
    """Say what is wrong with the parameters that a loader read and a model refused, a line for each error.

    Returns:
        Lines like ``params.yaml (scale smoke): sft.learning_rate: expected a number, got 'fast'``.
    """
    from card24_pipeline.versioning.parameter_files import ParameterFiles
    from card24_pipeline.versioning.validation import describe_error

    written = ParameterFiles.read(loader, project)
    files = ParameterFiles([*written.layers, {"--params": loader.runtime_params}])
    lines = []
    for details in error.errors(include_url=False):
        key, known = _find_key(files, details["loc"])
        problem = describe_error(details, model)
        # An error of settings that belong together has no key of its own; its message begins with one of theirs.
        owners = files.find_owners(known or problem.partition(":")[0]) or list(written.layers[0])[:1]
        block = known.rpartition(".")[0]
        over = files.find_owners(block)[-1:] if problem == "unknown key" and block else owners
        if over != owners:
            # What a scale lays over a block of another kind.
            problem += f" (`_replace_: true` in {block} of {over[0]} leaves out what it does not name itself)"
        where = f"{key}: " if key else ""
        scale = loader.env or loader.default_run_env
        lines.append(f"{' and '.join(owners)} (scale {scale}): {where}{problem}")
    return "\n".join(lines)


def _find_key(files: ParameterFiles, location: Sequence[int | str]) -> tuple[str, str]:
    """Return the key of an error as it is written, and as much of it as some file has."""
    shown: list[str] = []
    known = ""
    inside = True
    for number, part in enumerate(location):
        longer = f"{known}.{part}" if known else str(part)
        if inside and files.find_owners(longer):
            known = longer
        elif inside and isinstance(part, str) and number < len(location) - 1:
            continue  # the tag of a union, which no file has
        else:
            inside = False
        shown.append(str(part))
    return ".".join(shown), known
