"""Methods of editing: each is a pure function in a file of ``methods/`` whose decorator and signature tell the rest.

A function takes, by these names, what it needs of one tensor:

=============== =======================================================================
weight          the target's tensor W
donor_weight    the donor's Ŵ
donor, target   factors of Ŵ and of W
delta           factors of ΔW = W − Ŵ
turned          factors of W plus a random matrix with the singular values of ΔW
depth           0 at the first layer (and the embeddings) … 1 at the last (and what follows)
generator       a source of randomness of the tensor's own
=============== =======================================================================

and by keyword its knob, annotated with ``Fraction`` or ``Quarter``, and ``sigma`` where there is a choice of singular
values. It imports torch when it runs, so that settings can be checked without.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, wraps
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, ParamSpec, TypeVar

from card24_pipeline.edits import methods

FACTORS = ("donor", "target", "delta", "turned")
INPUTS = ("weight", "donor_weight", *FACTORS, "depth", "generator")
Scope = Literal["matrices", "quarter", "model"]

Fraction = float
Quarter = float
_ALLOWED: dict[str, tuple[str, Callable[[float], bool]]] = {
    "Fraction": ("a number from 0 to 1", lambda value: 0 <= value <= 1),
    "Quarter": ("1, 2, 3 or 4", lambda value: value in (1, 2, 3, 4)),
}

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Knob:
    """The one number that a method is swept over; ``kind`` is the name of its annotation."""

    name: str
    kind: str
    default: float

    def check(self, value: float) -> None:
        """Raise a ValueError if the knob does not take this value."""
        expected, allows = _ALLOWED[self.kind]
        if not allows(value):
            raise ValueError(f"{self.name}: expected {expected}, got {value:g}")


@dataclass(frozen=True)
class EditMethod:
    """A method of editing.

    Attributes:
        name: Its name in parameters, on the command line and in tables.
        change: The function, which refuses a knob out of range.
        inputs: What the function is given of each tensor.
        knob: Its knob, if it has one.
        has_sigma: Whether there is a choice of singular values.
        title: What a reader calls it.
        scope: Tensors that it changes: ``matrices`` of attention and MLP, all of a ``quarter`` of the layers, or all
            of the ``model``.
        paper: Where it comes from; empty for a control of our own.
        low_rank: Whether it returns the pair (L, R) of an update L R, which can be an adapter, and not the tensor.
        outer_products: How many it adds for each singular direction that its knob names (all of them without a knob).
        entry_flops: Other operations an entry.
    """

    name: str
    change: Callable[..., Any]
    inputs: tuple[str, ...]
    knob: Knob | None
    has_sigma: bool
    title: str
    scope: Scope
    paper: str = ""
    low_rank: bool = False
    outer_products: int = 0
    entry_flops: int = 0

    def count_outer_products(self, knob: float | None, shape: tuple[int, ...]) -> int:
        """Return how many outer products are added to a matrix: the rank of a low-rank update."""
        from card24_pipeline.spectral.decomposition import count_directions

        return self.outer_products * count_directions(1.0 if knob is None else knob, shape)


_FOUND: dict[str, EditMethod] = {}


def edit_method(**facts: Any) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Make a function an :class:`EditMethod`, of which ``facts`` are the attributes from ``title`` on."""

    def register(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        given = inspect.signature(function).parameters
        inputs = tuple(name for name, one in given.items() if one.kind is not one.KEYWORD_ONLY)
        knobs = [
            Knob(name, one.annotation, one.default)
            for name, one in given.items()
            if name not in (*inputs, "sigma") and one.annotation in _ALLOWED
        ]
        if not set(inputs) <= set(INPUTS) or len(given) != len(inputs) + len(knobs) + ("sigma" in given) or knobs[1:]:
            raise TypeError(f"{function.__name__}: takes any of {', '.join(INPUTS)}, a knob and sigma by keyword")
        knob = knobs[0] if knobs else None

        @wraps(function)
        def change(*args: Arguments.args, **choices: Arguments.kwargs) -> Result:
            if knob is not None and knob.name in choices:
                knob.check(choices[knob.name])  # type: ignore[arg-type]
            return function(*args, **choices)

        _FOUND[function.__name__] = EditMethod(function.__name__, change, inputs, knob, "sigma" in given, **facts)
        return change

    return register


@cache
def list_names() -> tuple[str, ...]:
    """Return the names of all methods, in alphabetical order; none is imported."""
    return tuple(sorted(name for _, name, _ in iter_modules(methods.__path__) if not name.startswith("_")))


def load_method(name: str) -> EditMethod:
    """Return a method; raise a ValueError if there is none of that name, or its file holds no such."""
    if name not in list_names():
        near = get_close_matches(name, list_names(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"no method is called {name!r}: expected one of {', '.join(list_names())}{hint}")
    import_module(f"{methods.__name__}.{name}")
    if name not in _FOUND:
        raise ValueError(f"edits/methods/{name}.py: expected a function {name} under @edit_method")
    return _FOUND[name]


def list_methods() -> list[EditMethod]:
    """Return all methods in the order of their names."""
    return [load_method(name) for name in list_names()]
