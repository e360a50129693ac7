"""How edits and numbers are written in tables and figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from card24_pipeline.edits.registry import list_names, load_method
from card24_pipeline.findings.lookup import Findings, Row
from card24_pipeline.study.vocabulary import title_role

SCALES = {"points": 100, "percent": 100, "share": 100, "degrees": 1, "plain": 1}
FORMATS = {
    "points": "{:+z.1f}",
    "percent": "{:+z.2f} %",
    "share": "{:z.0f} %",
    "degrees": "{:+z.2f}°",
    "plain": "{:+z.3f}",
}
NOTHING = "–"


def title_donor(donor: str) -> str:
    """Write a donor as it stands in a sentence."""
    return title_role(donor)


def title_family(row: Mapping[Any, Any], findings: Findings) -> str:
    """Write the family of an edit: method, donor, and what it chooses otherwise than usual."""
    choices = [
        load_method(row["method"]).title,
        title_donor(row["donor"]),
        "σ too" if row["sigma"] == "donor" else "",
        f"{row['matrices']} only" if row["matrices"] and "," not in row["matrices"] else "",
        "embeddings too" if row["embeddings"] else "",
        "" if row["sft_arm"] == findings.sft_arm else f"SFT {row['sft_arm']}",
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
    estimate, low, high = (write_number(row[name], unit) for name in ("estimate", "low", "high"))
    return estimate if low == NOTHING else f"{estimate} ({low} to {high})"


def write_level(row: Row | None) -> str:
    """Write pass@1 in percent with its interval."""
    if row is None:
        return NOTHING
    return f"{100 * row['estimate']:.1f} ({100 * row['low']:.1f}–{100 * row['high']:.1f})"
