"""What a method of editing is: a pure function whose decorator and signature tell all that others need to know.

Parameters of the function are what it is given of each tensor, by these names:

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
values. Methods import torch when they run, so that settings can be checked without it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

FACTORS = ("donor", "target", "delta", "turned")
INPUTS = ("weight", "donor_weight", *FACTORS, "depth", "generator")

Scope = Literal["matrices", "quarter", "model"]
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Between:
    """Numbers from ``low`` to ``high``."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        """Tell whether a number is one of them; NaN is none."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        """Say which they are."""
        return f"a number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class OneOf:
    """A few numbers."""

    values: tuple[float, ...]

    def __contains__(self, value: float) -> bool:
        """Tell whether a number is one of them."""
        return value in self.values

    def __str__(self) -> str:
        """Say which they are."""
        *first, last = (f"{value:g}" for value in self.values)
        return f"{', '.join(first)} or {last}"


Fraction = Annotated[float, Between(0, 1)]
Quarter = Annotated[float, OneOf((1, 2, 3, 4))]


@dataclass(frozen=True)
class Knob:
    """The one number that a method is swept over."""

    name: str
    values: Between | OneOf
    default: float

    def check(self, value: float) -> None:
        """Check a value of the knob.

        Raises:
            ValueError: If the knob does not take it.
        """
        if value not in self.values:
            raise ValueError(f"{self.name}: expected {self.values}, got {value:g}")


@dataclass(frozen=True)
class EditMethod:
    """A method of editing.

    Attributes:
        name: Its name in parameters, on the command line and in tables.
        title: What a reader calls it.
        paper: Where it comes from; empty for a control of our own.
        scope: Tensors that it changes: ``matrices`` of attention and MLP, all of a ``quarter`` of the layers, or all
            of the ``model``.
        low_rank: Whether it returns the pair (L, R) of an update L R, which can be an adapter, and not the tensor.
        outer_products: How many it adds for each singular direction that its knob names (all of them without a knob).
        entry_flops: Other operations an entry.
        change: The function.
        inputs: What the function is given of each tensor.
        knob: Its knob, if it has one.
        has_sigma: Whether there is a choice of singular values.
    """

    name: str
    title: str
    paper: str
    scope: Scope
    low_rank: bool
    outer_products: int
    entry_flops: int
    change: Callable[..., Any]
    inputs: tuple[str, ...]
    knob: Knob | None
    has_sigma: bool

    def count_outer_products(self, amount: float | None, shape: tuple[int, ...]) -> int:
        """Return how many outer products are added to a matrix at a knob: the rank of a low-rank update."""
        from card24_pipeline.spectral.decomposition import count_directions

        return self.outer_products * count_directions(1.0 if amount is None else amount, shape)


METHODS: dict[str, EditMethod] = {}


def edit_method(
    *,
    title: str,
    paper: str = "",
    scope: Scope,
    low_rank: bool = False,
    outer_products: int = 0,
    entry_flops: int = 0,
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Make a function a method of editing; see this module and :class:`EditMethod`.

    Returns:
        A decorator, whose function refuses a knob out of range.
    """

    def register(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        given = inspect.signature(function).parameters
        inputs = tuple(name for name, one in given.items() if one.kind is not one.KEYWORD_ONLY)
        knobs = [_read_knob(function, one) for name, one in given.items() if name not in (*inputs, "sigma")]
        if len(knobs) > 1 or not set(inputs) <= set(INPUTS):
            raise TypeError(f"{function.__name__}: takes any of {', '.join(INPUTS)}, a knob and sigma by keyword")
        knob = knobs[0] if knobs else None

        @wraps(function)
        def change(*args: Arguments.args, **choices: Arguments.kwargs) -> Result:
            if knob is not None and knob.name in choices:
                knob.check(choices[knob.name])  # type: ignore[arg-type]
            return function(*args, **choices)

        METHODS[function.__name__] = EditMethod(
            name=function.__name__,
            title=title,
            paper=paper,
            scope=scope,
            low_rank=low_rank,
            outer_products=outer_products,
            entry_flops=entry_flops,
            change=change,
            inputs=inputs,
            knob=knob,
            has_sigma="sigma" in given,
        )
        return change

    return register


def _read_knob(function: Callable[..., Any], parameter: inspect.Parameter) -> Knob:
    """Read a knob off its annotation, which is text where the module postpones annotations."""
    kind = parameter.annotation
    kind = function.__globals__.get(kind) if isinstance(kind, str) else kind
    return Knob(parameter.name, kind.__metadata__[0], parameter.default)  # type: ignore[union-attr]
