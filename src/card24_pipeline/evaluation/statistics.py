"""Intervals of shares."""

from dataclasses import dataclass
from statistics import NormalDist


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
