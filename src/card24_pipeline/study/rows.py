"""Frames as plain rows."""

from __future__ import annotations

from typing import Any

import pandas as pd


def read_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Read a frame as a list of plain rows."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
