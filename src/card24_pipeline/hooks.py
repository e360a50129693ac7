"""Checks the whole parameter file before any node runs, tidies up after a run that succeeded, helps kedro viz."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from kedro.framework.hooks import hook_impl

from card24_pipeline.graph_view import is_for_viewing, prepare_catalog

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    from card24_pipeline.versioning.config_loader import FanOutConfigLoader
    from card24_pipeline.versioning.parameter_files import ParameterFiles

# Pydantic's error types, by what the file should have held.
_EXPECTATIONS = {
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


class ParameterFileError(click.ClickException):
    """A wrong value or an unknown key in a parameter file; Kedro's CLI shows it without a traceback."""


def load_study_parameters() -> type[BaseModel]:
    """Return the model of the whole parameter file."""
    from card24_pipeline.pipelines.parameters import ProjectParams

    return ProjectParams


class ProjectHooks:
    """Hooks of the project."""

    def __init__(self, load_model: Callable[[], type[BaseModel]] = load_study_parameters) -> None:
        """Take the model to check against.

        Args:
            load_model: Returns it; called only when parameters are about to be used.
        """
        self._load_model = load_model

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check the parameters of the run's scale.

        Raises:
            ParameterFileError: When a value is wrong or a key unknown, naming file, key and expectation.
        """
        from pydantic import ValidationError

        loader = context.config_loader
        # Not `context.params`: reading that makes Kedro check every node's type hints first, its own way.
        params = {key: value for key, value in loader["parameters"].items() if key not in loader.fan_out}
        try:
            model = self._load_model()
            model.model_validate(params)
        except ValidationError as error:
            raise ParameterFileError(describe_errors(error, model, loader, context.project_path)) from error

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol) -> None:
        """Name and show datasets as the graph does that kedro viz shows."""
        if is_for_viewing():
            prepare_catalog(catalog)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Remove the progress folders of a run whose outputs are all in place."""
        from card24_pipeline.catalog.progress_folder import ProgressFolderDataset

        for name in pipeline.inputs():
            dataset = catalog.get(name)
            if isinstance(dataset, ProgressFolderDataset):
                shutil.rmtree(dataset.load(), ignore_errors=True)


def describe_errors(error: Any, model: type[BaseModel], loader: FanOutConfigLoader, project: Path) -> str:
    """Say what is wrong with parameters, a line for each error.

    Args:
        error: Pydantic's ``ValidationError``.
        model: The model that refused them.
        loader: The loader that read them.
        project: Root of the project.

    Returns:
        Lines like ``params.yaml (scale smoke): sft.learning_rate: expected a number, got 'fast'``.
    """
    from card24_pipeline.versioning.parameter_files import ParameterFiles

    written = ParameterFiles.read(loader, project)
    files = ParameterFiles([*written.layers, {"--params": loader.runtime_params}])
    lines = []
    for details in error.errors(include_url=False):
        key, known = _find_key(files, details["loc"])
        owners = files.find_owners(known) or list(written.layers[0])[:1]
        problem = _describe_error(details, model)
        block = known.rpartition(".")[0]
        over = files.find_owners(block)[-1:] if problem == "unknown key" and block else owners
        if over != owners:
            # What a scale lays over a block of another kind.
            problem += f" (`_replace_: true` in {block} of {over[0]} leaves out what it does not name itself)"
        # An error of settings that belong together has no key of its own; its message names them.
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


def _describe_error(details: ErrorDetails, model: type[BaseModel]) -> str:
    kind = details["type"]
    if not details["loc"]:
        return details["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        *parents, name = details["loc"]
        close = get_close_matches(str(name), _list_fields(model, parents), n=1)
        return "unknown key" + (f", did you mean '{close[0]}'?" if close and close[0] != str(name) else "")
    if kind == "missing":
        return "missing, and it has no default"
    # Settings that do not go together: the message has the culprits, and the whole block would bury it.
    got = "" if isinstance(details["input"], dict) and kind == "value_error" else f", got {details['input']!r}"
    if kind == "literal_error":
        return f"expected {details['ctx']['expected']}{got}"
    if kind in _EXPECTATIONS:
        return f"expected {_EXPECTATIONS[kind]}{got}"
    message = details["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return f"expected {message}{got}" if message != details["msg"] and kind != "value_error" else f"{message}{got}"


def _list_fields(model: type[BaseModel], parents: list[int | str]) -> list[str]:
    models = [model]
    for parent in parents:
        fields = [found.model_fields[str(parent)] for found in models if str(parent) in found.model_fields]
        # A part of the location that is no field is an index or the tag of a union: the models stay.
        models = [inner for field in fields for inner in _find_models(field.annotation)] or models
    return [name for found in models for name in found.model_fields]


def _find_models(annotation: Any) -> Iterator[type[BaseModel]]:
    from pydantic import BaseModel

    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _find_models(argument)
