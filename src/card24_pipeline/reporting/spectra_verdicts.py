"""Verdicts on spectra: which claims hold, on which numbers, and which of them the null models show too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from card24_pipeline.reporting.rl_contrasts import ANCHORED, PLAIN, sort_roles
from card24_pipeline.reporting.spectra_contrasts import SIGMA_SHIFT, name_angle, name_excess
from card24_pipeline.reporting.spectra_ends import name_ends
from card24_pipeline.reporting.spectra_summary import GAUSSIAN, MATCHED, NULLS, OBSERVED, Change
from card24_pipeline.reporting.tables import judge_sign, name_role, read_rows

SIGMA_BOUND = 0.01
"""Singular values "hardly change" if they do by less than this share of themselves; set before the study was run."""

DEGREES, PERCENT = "{:+z.2f}°", "{:+z.2%}"
NULL_TITLES = {GAUSSIAN: "Gaussian", MATCHED: "spectrum-matched"}
ARM_TITLES = {PLAIN: "RL", ANCHORED: "Anchored RL"}
REFERENCE_TITLES = {"max_ood": "MaxOOD", "base": "the base"}


class SpectraJudge:
    """Judges claims on the pooled contrasts of one change."""

    def __init__(self, contrasts: pd.DataFrame, change: Change) -> None:
        """Take the output of ``SpectraContrastBuilder.contrast_changes`` and the change to judge."""
        chosen = contrasts[
            (contrasts["pair"] == change.pair)
            & (contrasts["role"] == change.role)
            & (contrasts["scope"] == "all seeds")
        ]
        self._rows = {(row["measure"], row["model"]): row for row in read_rows(chosen)}

    def find(self, measure: str, model: str) -> Mapping[str, Any] | None:
        """Return the row of a measure and model, or None where there is none."""
        return self._rows.get((measure, model))

    def decide(self, measure: str, model: str, *, bound: float = 0.0, sign: int = 1) -> str:
        """Return whether the measure lies above the bound (below it where ``sign`` is -1)."""
        row = self.find(measure, model)
        return "undecided" if row is None else judge_sign(row["low"] - bound, row["high"] - bound, sign)

    def tell_level(self, text: str, measure: str, unit: str, *, bound: float = 0.0, sign: int = 1) -> str:
        """Write the line of a claim on the observed change, and say which null models it holds for as well."""
        row = self.find(measure, OBSERVED)
        if row is None:
            return f"- {text}: **undecided** (not measured)"
        verdict = self.decide(measure, OBSERVED, bound=bound, sign=sign)
        told = [format_interval(row, unit)]
        for null in NULLS:
            drawn = self.find(measure, null)
            if drawn is not None:
                told.append(f"{NULL_TITLES[null]} null {unit.format(drawn['estimate'])}")
        same = [null for null in NULLS if self.decide(measure, null, bound=bound, sign=sign) == "holds"]
        if verdict == "holds" and same:
            who = "so do both nulls" if len(same) == len(NULLS) else f"so does the {NULL_TITLES[same[0]]} null"
            told.append(f"{who}: no evidence")
        return f"- {text}: **{verdict}** ({'; '.join(told)})"

    def tell_excess(self, text: str, measure: str, unit: str) -> str:
        """Write the line of a claim that the observed change exceeds both null models."""
        rows = {null: self.find(measure, name_excess(null)) for null in NULLS}
        told = [
            f"over the {NULL_TITLES[null]} null {format_interval(row, unit)}"
            for null, row in rows.items()
            if row is not None
        ]
        return f"- {text}: **{self._decide_excess(measure)}** ({'; '.join(told) or 'not measured'})"

    def _decide_excess(self, measure: str) -> str:
        verdicts = {self.decide(measure, name_excess(null)) for null in NULLS}
        if "does not hold" in verdicts:
            return "does not hold"
        return "holds" if verdicts == {"holds"} else "undecided"


def format_interval(row: Mapping[str, Any], unit: str) -> str:
    """Write an estimate with its interval, each in the format ``unit``."""
    estimate, low, high = (unit.format(float(row[name])) for name in ("estimate", "low", "high"))
    return f"{estimate} ({low} to {high})"


def judge_change(contrasts: pd.DataFrame, change: Change, *, fraction: float) -> str:
    """List the claims on one change of weights, with verdicts.

    Args:
        contrasts: Output of ``SpectraContrastBuilder.contrast_changes``.
        change: The change.
        fraction: Size of the bands.
    """
    judge = SpectraJudge(contrasts, change)
    size = f"{fraction:.0%}"
    sigma = f"Singular values hardly change (by less than {SIGMA_BOUND:.0%})"
    lines = [
        judge.tell_level(sigma, SIGMA_SHIFT, PERCENT, bound=SIGMA_BOUND, sign=-1),
        judge.tell_excess(f"Directions of the top {size} turn more than in either null", name_angle("top"), DEGREES),
        judge.tell_excess(f"… of the tail {size}", name_angle("tail"), DEGREES),
        judge.tell_excess(f"… of the bulk {size}", name_angle("bulk"), DEGREES),
    ]
    for ends, subject in (
        ("ends", "Rotation is larger at the two ends than in the bulk"),
        ("top end", "Rotation is larger at the top end than in the bulk"),
        ("tail end", "Rotation is larger at the tail end than in the bulk"),
    ):
        matched = name_ends(ends, equal_gaps=True)
        lines += [
            judge.tell_level(subject, name_ends(ends, equal_gaps=False), DEGREES),
            judge.tell_level("… at equal spectral gaps", matched, DEGREES),
            judge.tell_excess("… and beyond both nulls", matched, DEGREES),
        ]
    return "\n".join(lines)


def judge_return(returned: pd.DataFrame) -> str:
    """List what is claimed of RL's way back, from End and then from the other starts.

    Args:
        returned: Output of ``SpectraContrastBuilder.contrast_return``.
    """
    pooled = {(row["arm"], row["role"], row["reference"]): row for row in read_rows(pool_return(returned))}
    if not pooled:
        return "- RL turns the weights back: **undecided** (not measured)"
    roles = sort_roles(role for _, role, _ in pooled)
    lines = []
    for arm, subject in ARM_TITLES.items():
        for role in reversed(roles):
            for reference, name in REFERENCE_TITLES.items():
                row = pooled.get((arm, role, reference))
                if row is not None:
                    lines += _tell_return(f"{subject} from {name_role(role)} turns the weights back toward {name}", row)
    return "\n".join(lines)


def pool_return(returned: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of RL's way back that bring all seeds together."""
    return returned[returned["scope"] == "all seeds"]


def _tell_return(text: str, row: Mapping[str, Any]) -> list[str]:
    share = {name: row[f"share{suffix}"] for name, suffix in BOUNDS.items()}
    angle = {name: row[f"angle_change{suffix}"] for name, suffix in BOUNDS.items()}
    way = "no way to go" if math.isnan(share["estimate"]) else f"{format_interval(share, PERCENT)} of the way"
    return [
        f"- {text}: **{judge_sign(share['low'], share['high'], 1)}** ({way}; cosine {row['cosine']:+z.3f})",
        f"- … and brings the top subspaces nearer: **{judge_sign(angle['low'], angle['high'], -1)}** "
        f"({format_interval(angle, DEGREES)})",
    ]


BOUNDS = {"estimate": "", "low": "_low", "high": "_high"}
