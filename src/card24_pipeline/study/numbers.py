"""How figures are written wherever people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

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


def write_number(value: float | None, unit: str) -> str:
    """Write a number in its unit, a dash where there is none."""
    if value is None or math.isnan(value):
        return NOTHING
    return FORMATS[unit].format(SCALES[unit] * value).replace("-", "−")


def write_interval(row: Mapping[str, Any] | None, unit: str) -> str:
    """Write an estimate with its interval, a dash where there is none."""
    if row is None or row.get("estimate") is None:
        return NOTHING
    estimate, bounds = write_number(row["estimate"], unit), write_range(row, unit)
    return estimate if bounds == NOTHING else f"{estimate} ({bounds})"


def write_range(row: Mapping[str, Any], unit: str) -> str:
    """Write an interval, a dash where there is none."""
    low, high = (write_number(row[name], unit) for name in ("low", "high"))
    return NOTHING if low == NOTHING else f"{low} to {high}"


def write_level(row: Mapping[str, Any] | None) -> str:
    """Write pass@1 in percent with its interval."""
    if row is None:
        return NOTHING
    return f"{100 * row['estimate']:.1f} ({100 * row['low']:.1f}–{100 * row['high']:.1f})"
