"""The published figures, with the intervals that their number of hands gives them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from card24_pipeline.evaluation.statistics import Interval, wilson_interval

LLAMA, QWEN = "Llama-3.2-11B", "Qwen2.5-7B"
MAX_OOD_STEPS = {LLAMA: 140, QWEN: 120}
END_STEPS = {LLAMA: 1100, QWEN: 800}
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Comparison:
    """A difference of two published accuracies (success within five tries).

    Attributes:
        model: Published name of the model.
        left: Stage and SFT step.
        right: The same of what is subtracted.
        label: What is compared.
        split: ``id`` or ``ood``.
    """

    model: str
    left: tuple[str, int]
    right: tuple[str, int]
    label: str
    split: str = "ood"


def compare_sft(split: str, sign: int) -> list[Comparison]:
    """Compare MaxOOD with End (``sign`` −1: End with MaxOOD) in both published models."""
    label = "MaxOOD − End" if sign > 0 else "End − MaxOOD"
    found = []
    for model in (LLAMA, QWEN):
        left, right = [("sft_max_ood", MAX_OOD_STEPS[model]), ("sft_end", END_STEPS[model])][::sign]
        found.append(Comparison(model, left, right, label, split))
    return found


def measure_published(table: pd.DataFrame, comparison: Comparison) -> dict[str, Any]:
    """Return ``label``, ``estimate``, ``low``, ``high`` (fractions) and ``hands`` of a published comparison.

    Args:
        table: ``model``, ``stage``, ``sft_step``, ``split``, ``percent``, ``n``; the first row of a key wins, for the
            abstract's figures come before those read off a picture.
        comparison: Which figures.

    Raises:
        KeyError: If one of them was not published.
    """
    keyed = table.drop_duplicates(["model", "stage", "sft_step", "split"])
    rows = keyed.set_index(["model", "stage", "sft_step", "split"])[["percent", "n"]].to_dict("index")
    found = [rows[comparison.model, *side, comparison.split] for side in (comparison.left, comparison.right)]
    first, second = ((float(row["percent"]) / 100, int(row["n"])) for row in found)
    interval = newcombe_interval(first, second, confidence=CONFIDENCE)
    label = f"{comparison.model}: {comparison.label}"
    return {"label": label, **asdict(interval), "hands": first[1]}


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
