"""The published figures, with the intervals that their number of hands gives them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from card24_pipeline.evaluation.statistics import Interval, wilson_interval

PUBLISHED_CONFIDENCE = 0.95


@dataclass(frozen=True)
class PublishedFigure:
    """A difference of two published accuracies (success within five tries), as a fraction.

    Attributes:
        label: Model and what is compared.
        estimate: The difference.
        low: Lower bound of its 95 % interval.
        high: Upper bound.
        hands: Hands that each accuracy was measured on.
    """

    label: str
    estimate: float
    low: float
    high: float
    hands: int

    def describe(self) -> dict[str, Any]:
        """Return the record of a table."""
        return asdict(self)


class PublishedResults:
    """Looks published accuracies up."""

    def __init__(self, table: pd.DataFrame) -> None:
        """Take the table: ``source``, ``model``, ``stage``, ``sft_step``, ``split``, ``metric``, ``percent``, ``n``."""
        rows = table.to_dict("records")
        # The first row of a key wins: the abstract's figures come before those read off a picture.
        self._rows: dict[tuple[str, str, int, str], dict[Any, Any]] = {}
        for row in rows:
            self._rows.setdefault((row["model"], row["stage"], int(row["sft_step"]), row["split"]), row)

    def compare(
        self, model: str, left: tuple[str, int], right: tuple[str, int], split: str, label: str
    ) -> PublishedFigure:
        """Return the accuracy of one model less that of another.

        Args:
            model: Published name of the model.
            left: Stage and SFT step.
            right: The same of what is subtracted.
            split: ``id`` or ``ood``.
            label: What is compared.

        Raises:
            KeyError: If one of them was not published.
        """
        rows = [self._rows[model, stage, step, split] for stage, step in (left, right)]
        first, second = ((float(row["percent"]) / 100, int(row["n"])) for row in rows)
        interval = newcombe_interval(first, second, confidence=PUBLISHED_CONFIDENCE)
        return PublishedFigure(f"{model}: {label}", interval.estimate, interval.low, interval.high, first[1])


def newcombe_interval(left: tuple[float, int], right: tuple[float, int], *, confidence: float) -> Interval:
    """Return the interval of a difference of two shares (Newcombe 1998, Stat. Med. 17, method 10).

    The two are taken as independent: which hands both solved was not published.

    Args:
        left: A share and its number of trials.
        right: The same of what is subtracted.
        confidence: Two-sided level, such as 0.95.
    """
    first, second = (wilson_interval(share * trials, trials, confidence=confidence) for share, trials in (left, right))
    difference = first.estimate - second.estimate
    below = ((first.estimate - first.low) ** 2 + (second.high - second.estimate) ** 2) ** 0.5
    above = ((first.high - first.estimate) ** 2 + (second.estimate - second.low) ** 2) ** 0.5
    return Interval(difference, difference - below, difference + above)
