"""Checks the whole parameter file before any node runs, tidies up after a run that succeeded, helps kedro viz."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from kedro.framework.hooks import hook_impl

from card24_pipeline.graph_view import is_for_viewing, name_twins

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.io import CatalogProtocol
    from kedro.pipeline import Pipeline
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

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
    from card24_pipeline.pipelines.parameters import ProjectParameters

    return ProjectParameters


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

        # Not `context.params`: reading that makes Kedro check every node's type hints first, its own way.
        params = dict(context.config_loader["parameters"])
        if params.get("seed") == "all":
            # A stage that brings seeds together runs with this marker in place of its seed.
            params["seed"] = 0
        try:
            model = self._load_model()
            model.model_validate(params)
        except ValidationError as error:
            raise ParameterFileError(describe_errors(error, model, context)) from error

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol) -> None:
        """Name datasets as the graph does that kedro viz shows."""
        if is_for_viewing():
            name_twins(catalog)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        """Remove the progress folders of a run whose outputs are all in place."""
        from card24_pipeline.catalog.progress_folder import ProgressFolderDataset

        for name in pipeline.inputs():
            dataset = catalog.get(name)
            if isinstance(dataset, ProgressFolderDataset):
                shutil.rmtree(dataset.load(), ignore_errors=True)


def describe_errors(error: Any, model: type[BaseModel], context: KedroContext) -> str:
    """Say what is wrong with parameters, a line for each error.

    Args:
        error: Pydantic's ``ValidationError``.
        model: The model that refused them.
        context: The run's context, for the scale and the files.

    Returns:
        Lines like ``params.yaml (scale smoke): sft.learning_rate: expected a number, got 'fast'``.
    """
    scale = context.env or "base"
    runtime = getattr(context, "_runtime_params", None) or {}
    lines = []
    for details in error.errors(include_url=False):
        key = ".".join(str(part) for part in details["loc"])
        file = _find_file(context.project_path, scale, runtime, key)
        # An error of settings that belong together has no key of its own; its message names them.
        where = f"{key}: " if key else ""
        lines.append(f"{file} (scale {scale}): {where}{_describe_error(details, model)}")
    return "\n".join(lines)


def _describe_error(details: ErrorDetails, model: type[BaseModel]) -> str:
    kind = details["type"]
    if not details["loc"]:
        return details["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        *parents, name = details["loc"]
        close = get_close_matches(str(name), _list_fields(model, parents), n=1)
        return "unknown key" + (f", did you mean '{close[0]}'?" if close else "")
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


def _find_file(project: Path, scale: str, runtime: Mapping[str, Any], key: str) -> str:
    from card24_pipeline.versioning.errors import VersioningError
    from card24_pipeline.versioning.parameter_files import ParameterFiles
    from card24_pipeline.versioning.scales import describe_scale

    passed = ParameterFiles((("--params", runtime),))
    written = ParameterFiles.read(project, describe_scale(scale))
    parts = key.split(".")
    # A missing key is in no file: then the nearest subtree that is there tells where it belongs.
    for length in range(len(parts), 0, -1):
        for files in (passed, written):
            try:
                located = files.locate(".".join(parts[:length]))
            except VersioningError:
                continue
            return " and ".join(dict.fromkeys(file for file, _ in located))
    return written.files[0][0]
