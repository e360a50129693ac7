"""How edits and numbers are written in tables and figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from card24_pipeline.edits.registry import list_names, load_method
from card24_pipeline.findings.lookup import Findings, Row
from card24_pipeline.study.vocabulary import title_role

SCALES = {"points": 100, "percent": 100, "share": 100, "level": 100, "degrees": 1, "plain": 1}
FORMATS = {
    "level": "{:z.1f}",
    "points": "{:+z.1f}",
    "percent": "{:+z.2f} %",
    "share": "{:z.0f} %",
    "degrees": "{:+z.2f}°",
    "plain": "{:+z.3f}",
}
NOTHING = "–"


def title_family(row: Mapping[Any, Any], findings: Findings) -> str:
    """Write the family of an edit: method, donor, and what it chooses otherwise than usual."""
    edits = findings.models[(findings.models["kind"] == "edit") & (findings.models["sft_arm"] == row["sft_arm"])]
    several = edits["arm"].nunique() > 1
    choices = [
        load_method(row["method"]).title,
        title_role(row["donor"]),
        "σ too" if row["sigma"] == "donor" else "",
        f"{row['matrices']} only" if row["matrices"] and "," not in row["matrices"] else "",
        "embeddings too" if row["embeddings"] else "",
        "" if row["sft_arm"] == findings.sft_arm else f"SFT {row['sft_arm']}",
        f"edits {row['arm']}" if several else "",
    ]
    return ", ".join(filter(None, choices))


def title_control(kind: str) -> str:
    """Write a kind of control: a method of editing, an RL arm or a role."""
    return load_method(kind).title if kind in list_names() else title_role(kind)


def describe_knob(row: Mapping[Any, Any]) -> str:
    """Write a variant's knob with its name; empty where it has none."""
    return f"{row['knob_name'].replace('_', ' ')} {row['knob']:g}" if row["knob_name"] else ""


def write_number(value: float | None, unit: str) -> str:
    """Write a number in its unit, a dash where there is none."""
    if value is None or math.isnan(value):
        return NOTHING
    return FORMATS[unit].format(SCALES[unit] * value).replace("-", "−")


def write_interval(row: Row | None, unit: str) -> str:
    """Write an estimate with its interval, a dash where there is none."""
    if row is None or row.get("estimate") is None:
        return NOTHING
    estimate, bounds = write_number(row["estimate"], unit), write_range(row, unit)
    return estimate if bounds == NOTHING else f"{estimate} ({bounds})"


def write_range(row: Row, unit: str) -> str:
    """Write an interval, a dash where there is none."""
    low, high = (write_number(row[name], unit) for name in ("low", "high"))
    return NOTHING if low == NOTHING else f"{low} to {high}"


def write_level(row: Row | None) -> str:
    """Write pass@1 in percent with its interval."""
    if row is None:
        return NOTHING
    return f"{100 * row['estimate']:.1f} ({100 * row['low']:.1f}–{100 * row['high']:.1f})"


def describe_basis(replicates: int, *, conditional: bool) -> str:
    """Say what intervals cover: other replicates, or one base only."""
    if replicates == 1:
        return (
            "One replicate: everything is conditional on this base and this seed. Intervals resample hands (matrices "
            "where weights are concerned) and cover neither another base nor another seed."
        )
    given = ", conditional on this base" if conditional else ", each with a base of its own"
    covered = "another seed" if conditional else "another base, another seed"
    return (
        f"The replicate is the unit: intervals are Student's t over {replicates} replicates{given}. Their standard "
        "error adds the spread between hands, which replicates share, to that between replicates; they cover "
        f"{covered} and other hands. Of weights, the mean over a replicate's matrices is its value."
    )
