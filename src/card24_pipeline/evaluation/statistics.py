"""Intervals for accuracies whose hands come in clusters of one value multiset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Interval:
    """An estimate with a two-sided interval."""

    estimate: float
    low: float
    high: float


def wilson_interval(successes: float, trials: int, *, confidence: float) -> Interval:
    """Return Wilson's score interval for a proportion (Wilson 1927, JASA 22).

    Args:
        successes: Number of successes; may be fractional where a trial is itself a mean (a multiset's share of
            solved orders), which makes the interval conservative.
        trials: Number of independent trials, at least 1.
        confidence: Two-sided level, such as 0.95.

    Raises:
        ValueError: If ``trials`` is below 1 or ``successes`` lies outside 0…``trials``.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"expected 0 ≤ successes ≤ trials with trials ≥ 1, got {successes} of {trials}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * (share * (1 - share) / trials + z * z / (4 * trials**2)) ** 0.5
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def bootstrap_over_multisets(
    hands: pd.DataFrame, values: Sequence[str], *, resamples: int, confidence: float, seed: int
) -> list[Interval]:
    """Return percentile intervals of column means when whole multisets are drawn with replacement.

    All rows of a multiset (its orders and, where the frame holds several, its seeds) move together, so the
    interval covers the choice of hands only: it is conditional on the base model and on the seeds at hand. All
    columns share their draws, so the difference of two columns is a paired one.

    Args:
        hands: One row per hand with a column ``multiset`` and numeric columns ``values``.
        values: Columns to average; the mean is over rows, not over multisets.
        resamples: Bootstrap draws.
        confidence: Two-sided level, such as 0.95.
        seed: Seed of the draws.

    Raises:
        ValueError: If ``hands`` is empty.
    """
    if hands.empty:
        raise ValueError("there are no hands to draw from")
    grouped = hands.groupby("multiset", sort=True)
    sums = grouped[list(values)].sum().to_numpy(dtype=np.float64)
    counts = grouped.size().to_numpy(dtype=np.float64)
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=resamples)
    means = (weights @ sums) / (weights @ counts)[:, None]
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    estimates = sums.sum(axis=0) / counts.sum()
    return [
        Interval(float(estimate), float(lower), float(upper))
        for estimate, lower, upper in zip(estimates, low, high, strict=True)
    ]
