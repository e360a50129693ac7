"""Checkable statements, registered one by one: what is claimed of which estimate, and what was published on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from card24_pipeline.findings.lookup import Findings, Found
from card24_pipeline.findings.published import Comparison

Measure = Callable[[Findings], Found]
Unit = Literal["points", "share", "percent", "degrees"]
MODULES = ("claims_sft", "claims_rl", "claims_weights", "claims_edits")


@dataclass(frozen=True)
class Statement:
    """One checkable statement: a quantity lies above, or below, a bound fixed before the study was run.

    Attributes:
        key: Its name in files: that of its function.
        text: What is claimed: the first line of the function's docstring.
        claim: Number of the claim that it belongs to.
        measure: Looks the estimate up.
        side: On which side of the bound the claim puts the quantity.
        bound: The bound, in the quantity's unit; shares and points are kept as fractions.
        unit: Of the quantity: ``points`` (difference of two pass@1), ``share`` (of a loss), ``percent`` (a relative
            change) or ``degrees``.
        confirmatory: Whether it gets a verdict: it has a control at equal ID or a placebo where it needs one, and its
            bound is no quantile. All else is exploratory: an interval, no word.
        why_exploratory: Why it gets none.
        by_construction: Whether a model organism shows it because it was built to.
        published: What was published on it.
        published_note: The same where there is no count of hands to make an interval of.
    """

    key: str
    text: str
    claim: int
    measure: Measure
    side: Literal["above", "below"]
    bound: float
    unit: Unit
    confirmatory: bool
    why_exploratory: str
    by_construction: bool
    published: Sequence[Comparison]
    published_note: str


_STATEMENTS: dict[str, Statement] = {}


def statement(
    claim: int,
    *,
    side: Literal["above", "below"] = "above",
    bound: float = 0.0,
    unit: Unit = "points",
    confirmatory: bool = False,
    why_exploratory: str = "",
    by_construction: bool = False,
    published: Iterable[Comparison] = (),
    published_note: str = "",
) -> Callable[[Measure], Measure]:
    """Register a statement; the decorated function looks its estimate up. See :class:`Statement`.

    Raises:
        ValueError: If the name is taken, or an exploratory statement does not say why it is one.
    """

    def register(measure: Measure) -> Measure:
        key = measure.__name__
        if key in _STATEMENTS:
            raise ValueError(f"statement {key} is registered twice")
        if confirmatory == bool(why_exploratory):
            raise ValueError(f"statement {key}: say why it is exploratory, or make it confirmatory")
        text = (measure.__doc__ or key).splitlines()[0]
        _STATEMENTS[key] = Statement(
            key, text, claim, measure, side, bound, unit, confirmatory, why_exploratory, by_construction,
            tuple(published), published_note,
        )  # fmt: skip
        return measure

    return register


def list_statements(arm_pairs: Iterable[tuple[str, str]] = ()) -> list[Statement]:
    """Return every statement, claim by claim; those on SFT arms are made for each pair that is held together."""
    for module in MODULES:
        import_module(f"card24_pipeline.findings.{module}")
    # It needs the class that is defined here.
    from card24_pipeline.findings.claims_arms import compare_arms

    made = [one for pair in arm_pairs for one in compare_arms(*pair)]
    return sorted([*_STATEMENTS.values(), *made], key=lambda one: one.claim)


def describe(one: Statement) -> Mapping[str, Any]:
    """Return what a table of verdicts says of a statement beside what was measured."""
    told = ("claim", "key", "text", "unit", "side", "bound", "confirmatory", "why_exploratory", "by_construction")
    return {name: getattr(one, name) for name in (*told, "published_note")}
