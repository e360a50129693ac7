"""The bootstrap behind every interval: whole clusters of rows are drawn with replacement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from card24_pipeline.evaluation.statistics import Interval


@dataclass(frozen=True)
class Resampled:
    """A statistic of all rows, and what it comes to in each draw (draws,)."""

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

    def describe(self, confidence: float, bound: float) -> dict[str, Any]:
        """Return the columns of a table of estimates: the estimate, its interval and its p-value for a bound."""
        interval = self.interval(confidence)
        found = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
        return found | {"bound": bound, "p_value": self.p_value(bound)}


@dataclass(frozen=True)
class Bootstrap:
    """Draws whole clusters: all rows of one (its orders, its seeds) move together.

    The draws cover the choice of clusters only and are conditional on the models at hand. They depend on the number
    of clusters and the seed alone, so quantities over the same clusters share them and their difference is paired.

    Attributes:
        resamples: Number of draws.
        seed: Seed of the draws.
        confidence: Two-sided level of intervals.
    """

    resamples: int
    seed: int
    confidence: float

    def resample_means(self, rows: pd.DataFrame, values: Sequence[str], cluster: str) -> list[Resampled]:
        """Return column means over all rows, and the same in every draw.

        Args:
            rows: A frame with the column ``cluster`` and the numeric columns ``values``.
            values: Columns to average.
            cluster: Column that names the clusters.

        Raises:
            ValueError: If there are no rows.
        """
        return self.average_sums(*sum_clusters(rows, values, cluster))

    def resample_share(self, rows: pd.DataFrame, part: str, whole: str, cluster: str) -> Resampled | None:
        """Return mean ``part`` as a share of mean ``whole``; see :meth:`divide_sums`."""
        sums, counts = sum_clusters(rows, [part, whole], cluster)
        return self.divide_sums(sums[:, 0], sums[:, 1], counts)

    def average_sums(self, sums: NDArray[np.float64], counts: NDArray[np.float64]) -> list[Resampled]:
        """Return means out of the sums (clusters, columns) and the numbers of rows (clusters,) of clusters."""
        weights = _draw_weights(len(counts), self.resamples, self.seed)
        means = (weights @ sums) / (weights @ counts)[:, None]
        estimates = sums.sum(axis=0) / counts.sum()
        return [Resampled(float(estimate), means[:, place]) for place, estimate in enumerate(estimates)]

    def divide_sums(
        self, part: NDArray[np.float64], whole: NDArray[np.float64], counts: NDArray[np.float64]
    ) -> Resampled | None:
        """Return one mean as a share of another, the ratio in every draw.

        None unless the whole's own interval lies above 0, for a share of what may be nothing says nothing. The few
        draws whose whole is not above 0 count as a share beyond all bounds with the sign of the part.
        """
        (lost,) = self.average_sums(whole[:, None], counts)
        if lost.interval(self.confidence).low <= 0:
            return None
        weights = _draw_weights(len(counts), self.resamples, self.seed)
        return Resampled(float(part.sum() / whole.sum()), (weights @ part) / np.maximum(weights @ whole, 1e-9))


def sum_clusters(
    rows: pd.DataFrame, values: Sequence[str], cluster: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of columns in every cluster (clusters, columns) and its number of rows (clusters,).

    Raises:
        ValueError: If there are no rows.
    """
    if rows.empty:
        raise ValueError("there are no rows to draw from")
    grouped = rows.groupby(cluster, sort=True)
    return grouped[list(values)].sum().to_numpy(dtype=np.float64), grouped.size().to_numpy(dtype=np.float64)


@lru_cache(maxsize=16)
def _draw_weights(clusters: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return how often each cluster is drawn in each draw (draws, clusters)."""
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=resamples)
    return drawn.astype(np.float64)
