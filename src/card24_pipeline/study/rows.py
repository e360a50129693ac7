"""Rows of frames."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.study.vocabulary import END


def read_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Read a frame as a list of plain rows."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def drop_other_names(selected: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """Drop every role but End of the SFT arms that keep one checkpoint: they would be End by other names.

    Args:
        selected: Columns ``sft_arm`` and ``role``.
        scored: Columns ``sft_arm`` and ``step``, of every checkpoint.
    """
    kept = scored.groupby("sft_arm")["step"].nunique()
    return selected[(selected["role"] == END) | (selected["sft_arm"].map(kept) > 1)].reset_index(drop=True)
