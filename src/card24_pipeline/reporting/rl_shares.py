"""Shares of OOD hands: how much of a loss was won back, and on which hands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from card24_pipeline.evaluation.statistics import Interval
from card24_pipeline.reporting.resampling import bootstrap_share

OVERLAPS = {
    # hands before RL: whether MaxOOD and whether End solved them
    "solved by max_ood only": (1, 0),
    "solved by neither": (0, 0),
    "solved by both": (1, 1),
    "solved by end only": (0, 1),
}


def name_gain_share(arm: str) -> str:
    """Name the row of the gain from End as a share of the loss from MaxOOD to End."""
    return f"{arm}: gain from end as a share of the loss from max_ood to end"


def name_overlap(arm: str, overlap: str) -> str:
    """Name the row of the share that RL from End solves of the hands of one of ``OVERLAPS``."""
    return f"{arm}: share solved after from end, of hands {overlap} before"


def name_whole(overlap_row: str) -> str:
    """Name the column that marks the hands of which an overlap row is a share."""
    return f"{overlap_row} (all of them)"


def list_shares(arms: Iterable[str]) -> list[str]:
    """List the names of all rows that hold shares and not differences."""
    return [name for arm in arms for name in (name_gain_share(arm), *(name_overlap(arm, each) for each in OVERLAPS))]


def mark_overlaps(max_ood: pd.Series, end: pd.Series, after: pd.Series, arm: str) -> dict[str, pd.Series]:
    """Mark, hand by hand, who solved it before RL, and whether RL from End then solves it.

    Args:
        max_ood: 1.0 where MaxOOD solved the hand before RL, else 0.0.
        end: The same of End.
        after: The same of the arm's model after RL from End; NaN where a seed has none.
        arm: The arm.

    Returns:
        For each of ``OVERLAPS`` two columns of 0.0 and 1.0: under ``name_overlap`` its hands that are solved after
        RL, and under ``name_whole`` of that all its hands.
    """
    columns: dict[str, pd.Series] = {}
    for overlap, (by_max_ood, by_end) in OVERLAPS.items():
        whole = ((max_ood == by_max_ood) & (end == by_end)).astype(np.float64)
        name = name_overlap(arm, overlap)
        columns |= {name: whole * after, name_whole(name): whole}
    return columns


def bootstrap_overlap(
    hands: pd.DataFrame, part: str, *, resamples: int, confidence: float, seed: int
) -> tuple[Interval, int]:
    """Return the share of an overlap's hands that are solved after RL, and the number of its hands.

    Args:
        hands: One row per hand with a column ``multiset`` and those of ``mark_overlaps``.
        part: Name of the overlap row.
        resamples: Bootstrap draws.
        confidence: Two-sided level, such as 0.95.
        seed: Seed of the draws.

    Returns:
        The share, without bounds (NaN) where draws may hold no such hand, and NaN where there is none at all.
    """
    whole = name_whole(part)
    count = int(hands[whole].sum())
    interval = bootstrap_share(hands, part, whole, resamples=resamples, confidence=confidence, seed=seed)
    return replace(interval, estimate=float(hands[part].sum()) / count if count else float("nan")), count
