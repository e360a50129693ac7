"""Methods of editing, found in ``methods/``."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from card24_pipeline.edits import methods
from card24_pipeline.edits.method import METHODS, EditMethod


@cache
def list_names() -> tuple[str, ...]:
    """Return the names of all methods, in alphabetical order; none is imported."""
    return tuple(sorted(module.name for module in iter_modules(methods.__path__)))


def load_method(name: str) -> EditMethod:
    """Return a method.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in list_names():
        near = get_close_matches(name, list_names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"no method is called {name!r}: expected one of {', '.join(list_names())}{hint}")
    import_module(f"{methods.__name__}.{name}")
    return METHODS[name]


def list_methods() -> list[EditMethod]:
    """Return all methods in the order of their names."""
    return [load_method(name) for name in list_names()]
