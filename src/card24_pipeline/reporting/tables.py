"""Rows, cells and verdicts that the report's pages share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def judge_sign(low: float, high: float, sign: int) -> str:
    """Return *holds* if the whole interval has the claimed sign, *does not hold* if the other, else *undecided*."""
    near, far = (low, high) if sign > 0 else (-high, -low)
    if near > 0:
        return "holds"
    return "does not hold" if far < 0 else "undecided"


def read_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Read a frame as a list of plain rows."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def format_points(row: Mapping[str, Any]) -> str:
    """Write a difference of shares in percentage points."""
    estimate, low, high = (100 * float(row[name]) for name in ("difference", "low", "high"))
    return f"{estimate:+.1f} ({low:+.1f} to {high:+.1f}) points"


def to_markdown(table: pd.DataFrame) -> str:
    """Write a frame as a Markdown table."""
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns)]
    lines += [list(map(str, row)) for row in table.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def name_role(role: str) -> str:
    """Write a checkpoint's role as it stands in a sentence."""
    return {"max_ood": "MaxOOD", "end": "End"}.get(role, role.replace("_", " "))
