"""The bootstrap behind every interval of the reports: whole clusters of rows are drawn with replacement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from card24_pipeline.evaluation.statistics import Interval

UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Resampled:
    """A statistic and what it comes to in each draw.

    Attributes:
        estimate: Of all rows.
        draws: (draws,), float64.
    """

    estimate: float
    draws: NDArray[np.float64]

    def interval(self, confidence: float) -> Interval:
        """Return the percentile interval of a two-sided level, such as 0.95."""
        tail = (1 - confidence) / 2
        low, high = np.quantile(self.draws, [tail, 1 - tail])
        return Interval(self.estimate, float(low), float(high))

    def p_value(self, bound: float) -> float:
        """Return the two-sided p-value of the statistic being ``bound``.

        Twice the smaller share of draws on either side, the observed sample counted among them, so that it is never
        0 (Davison & Hinkley 1997, eq. 4.11).
        """
        beyond = min(np.count_nonzero(self.draws <= bound), np.count_nonzero(self.draws >= bound))
        return float(min(1.0, 2 * (1 + beyond) / (1 + len(self.draws))))


def resample_means(hands: pd.DataFrame, values: Sequence[str], *, resamples: int, seed: int) -> list[Resampled]:
    """Return column means, and the same when whole multisets are drawn with replacement.

    All rows of a multiset (its orders and, where the frame holds several, its seeds) move together, so the draws
    cover the choice of hands only: they are conditional on the base model and on the seeds at hand. All columns
    share their draws, so the difference of two columns is a paired one.

    Args:
        hands: One row per hand with a column ``multiset`` and numeric columns ``values``.
        values: Columns to average; the mean is over rows, not over multisets.
        resamples: Bootstrap draws.
        seed: Seed of the draws.

    Raises:
        ValueError: If ``hands`` is empty.
    """
    sums, drawn, counts = _draw_sums(hands.assign(row_count=1.0), [*values, "row_count"], resamples, seed)
    means = drawn[:, :-1] / drawn[:, -1:]
    estimates = sums[:-1] / counts
    return [Resampled(float(estimate), means[:, column]) for column, estimate in enumerate(estimates)]


def resample_share(hands: pd.DataFrame, part: str, whole: str, *, resamples: int, seed: int) -> Resampled:
    """Return mean ``part`` as a share of mean ``whole``, the ratio of means in every draw.

    The few draws whose whole is not above 0 count as a share beyond all bounds with the sign of the part; whether
    the whole is above 0 at all is the caller's to check. The draws are those of :func:`resample_means`.

    Args:
        hands: One row per hand with a column ``multiset`` and the columns ``part`` and ``whole``.
        part: Column of the numerator, such as what RL gained, hand by hand.
        whole: Column of the denominator, such as what was lost before.
        resamples: Bootstrap draws.
        seed: Seed of the draws.
    """
    (total_part, total_whole), drawn, _ = _draw_sums(hands, [part, whole], resamples, seed)
    shares = drawn[:, 0] / np.maximum(drawn[:, 1], 1e-9)
    return Resampled(float(total_part / total_whole) if total_whole else float("nan"), shares)


def bootstrap_over_multisets(
    hands: pd.DataFrame, values: Sequence[str], *, resamples: int, confidence: float, seed: int
) -> list[Interval]:
    """Return the means of :func:`resample_means` with percentile intervals of a two-sided level, such as 0.95."""
    return [mean.interval(confidence) for mean in resample_means(hands, values, resamples=resamples, seed=seed)]


def bootstrap_share(
    hands: pd.DataFrame, part: str, whole: str, *, resamples: int, confidence: float, seed: int
) -> Interval:
    """Return the share of :func:`resample_share` with a percentile interval.

    NaN throughout unless the whole's own interval lies above 0, for a share of what may be nothing says nothing.
    """
    (lost,) = resample_means(hands, [whole], resamples=resamples, seed=seed)
    if lost.interval(confidence).low <= 0:
        return UNKNOWN
    return resample_share(hands, part, whole, resamples=resamples, seed=seed).interval(confidence)


def each_set_of_seeds(hands: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[list[str], pd.DataFrame]]:
    """Yield the columns that the same seeds have, with those seeds' hands: columns share draws so.

    Args:
        hands: One row per seed and hand.
        names: Columns that are NaN in seeds that lack them; one that no seed has is left out.
    """
    by_seeds: dict[tuple[int, ...], list[str]] = {}
    for name in names:
        by_seeds.setdefault(tuple(hands.loc[hands[name].notna(), "seed"].unique()), []).append(name)
    for seeds, shared in by_seeds.items():
        if seeds:
            yield shared, hands[hands["seed"].isin(seeds)]


def _draw_sums(
    hands: pd.DataFrame, columns: Sequence[str], resamples: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return the sums of columns over all rows, the same in each draw (draws, columns), and the number of rows."""
    if hands.empty:
        raise ValueError("there are no hands to draw from")
    sums = hands.groupby("multiset", sort=True)[list(columns)].sum().to_numpy(dtype=np.float64)
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples)
    return sums.sum(axis=0), weights @ sums, len(hands)
