"""Settings that are checked, and Pydantic's errors in plain words, a line each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click
from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_TAG = re.compile(r"bool|str|Plot|list\[.*|constrained.*")  # alternatives of a union, in a location
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


class VersioningError(click.ClickException):
    """The graph, its catalog, its parameters or ``[tool.dvc_stages]`` are at fault; commands show it as one line."""


class Settings(BaseModel):
    """Settings of which none may be unknown or of another type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Model = TypeVar("Model", bound=Settings)


def validate_settings(model: type[Model], content: Any, where: str) -> Model:
    """Make settings of what was read; raise a VersioningError that names place and key of the first thing wrong."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        # Of a union, the last alternative is the one whose error names a key.
        last = error.errors(include_url=False)[-1]
        key = ".".join([where, *(str(part) for part in last["loc"] if not _TAG.fullmatch(str(part)))])
        raise VersioningError(f"{key}: {describe_error(last, model)}") from error


def describe_error(details: ErrorDetails, model: type[BaseModel]) -> str:
    """Say what was expected and what was there, without the key; the model knows the names of near keys."""
    kind = details["type"]
    if not details["loc"] and kind not in _EXPECTATIONS:
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
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _find_models(argument)
