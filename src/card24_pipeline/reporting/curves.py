"""Accuracy along fine-tuning, with intervals over multisets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from card24_pipeline.evaluation.statistics import Interval
from card24_pipeline.reporting.resampling import bootstrap_over_multisets


class CurveBuilder:
    """Turns graded hands into curves and contrasts; holds the bootstrap's settings."""

    def __init__(self, *, resamples: int, confidence: float, seed: int) -> None:
        """Set the number of bootstrap draws, the two-sided level and the seed of the draws."""
        self._bootstrap = partial(bootstrap_over_multisets, resamples=resamples, confidence=confidence, seed=seed)

    def trace_accuracy(self, base_hands: pd.DataFrame, sft_hands: pd.DataFrame) -> pd.DataFrame:
        """Trace pass@1 over the SFT steps of all seeds together, for each split and acquaintance.

        Args:
            base_hands: The base's graded hands (step 0).
            sft_hands: Graded hands of every seed and step, with columns ``seed`` and ``step``.

        Returns:
            Columns ``split``, ``base_met_multiset``, ``step``, ``pass_at_1``, ``low``, ``high``, ``multisets``,
            ``hands`` (of one seed) and ``seeds``.
        """
        rows = []
        for split, met, base, tuned in _each_group(base_hands, sft_hands):
            table = _spread_steps(base, tuned)
            steps = [column for column in table.columns if column not in ("seed", "hand", "multiset")]
            intervals = self._bootstrap(table, steps)
            facts = {
                "multisets": table["multiset"].nunique(),
                "hands": table["hand"].nunique(),
                "seeds": table["seed"].nunique(),
            }
            rows += [
                {"split": split, "base_met_multiset": met, "step": int(step), **_flatten(interval), **facts}
                for step, interval in zip(steps, intervals, strict=True)
            ]
        return pd.DataFrame(rows).rename(columns={"estimate": "pass_at_1"})

    def contrast_selected(
        self, base_hands: pd.DataFrame, sft_hands: pd.DataFrame, selected: pd.DataFrame
    ) -> pd.DataFrame:
        """Compare base, MaxOOD and End in pairs, each seed with the steps selected for it.

        Args:
            base_hands: The base's graded hands.
            sft_hands: Graded hands of every seed and step.
            selected: Columns ``seed``, ``role``, ``step``.

        Returns:
            For each split, acquaintance and pair: ``pair`` (such as ``"max_ood - base"``), ``scope`` ("all seeds"
            or "seed n"), the mean paired ``difference`` of pass@1 with ``low`` and ``high``, and ``multisets``.
        """
        steps = selected.set_index(["seed", "role"])["step"]
        rows = []
        for split, met, base, tuned in _each_group(base_hands, sft_hands):
            table = _spread_steps(base, tuned)
            paired = pd.concat([_pick_roles(part, steps.loc[seed]) for seed, part in table.groupby("seed")])
            scopes = {f"seed {seed}": part for seed, part in paired.groupby("seed")}
            for scope, part in {"all seeds": paired, **scopes}.items():
                intervals = self._bootstrap(part, list(PAIRS))
                rows += [
                    {
                        "split": split,
                        "base_met_multiset": met,
                        "pair": pair,
                        "scope": scope,
                        **_flatten(interval),
                    }
                    | {"multisets": part["multiset"].nunique()}
                    for pair, interval in zip(PAIRS, intervals, strict=True)
                ]
        return pd.DataFrame(rows).rename(columns={"estimate": "difference"})


def spread_splits(curves: pd.DataFrame) -> pd.DataFrame:
    """Lay curves out with one row per SFT step and one column of pass@1 per split, as plots of DVC want it.

    Args:
        curves: What :meth:`CurveBuilder.trace_accuracy` returns.

    Returns:
        Column ``step``, then ``<split>`` for all of its hands and ``<split>_met`` and ``<split>_never_met`` for those
        whose multiset the base had or had not met.
    """
    suffix = curves["base_met_multiset"].map({"all": "", "met": "_met", "never_met": "_never_met"})
    named = curves.assign(column=curves["split"] + suffix)
    wide = named.pivot(index="step", columns="column", values="pass_at_1").reset_index()
    wide.columns.name = None
    return wide


PAIRS = {
    "max_ood - base": ("max_ood", "base"),
    "end - max_ood": ("end", "max_ood"),
    "end - base": ("end", "base"),
}


def _each_group(
    base_hands: pd.DataFrame, sft_hands: pd.DataFrame
) -> Iterator[tuple[str, str, pd.DataFrame, pd.DataFrame]]:
    """Yield split, acquaintance, and the base's and the tuned models' hands of that group."""
    for split in sorted(base_hands["split"].unique()):
        base, tuned = (frame[frame["split"] == split] for frame in (base_hands, sft_hands))
        for met, wanted in (("all", (True, False)), ("met", (True,)), ("never_met", (False,))):
            chosen = [frame[frame["base_met_multiset"].isin(wanted)] for frame in (base, tuned)]
            if len(chosen[0]):
                yield split, met, chosen[0], chosen[1]


def _spread_steps(base: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """Lay the hands out with one row per seed and hand and one 0/1 column per step, the base being step 0."""
    wide = tuned.pivot(index=["seed", "hand", "multiset"], columns="step", values="passed").reset_index()
    wide.insert(3, 0, wide["hand"].map(base.set_index("hand")["passed"]))
    wide.columns.name = None
    return wide.astype(dict.fromkeys(wide.columns[3:], np.float64))


def _pick_roles(hands: pd.DataFrame, steps: pd.Series) -> pd.DataFrame:
    """Return one seed's paired differences between the roles, hand by hand."""
    columns = {"base": 0, "max_ood": int(steps["max_ood"]), "end": int(steps["end"])}
    differences = {pair: hands[columns[left]] - hands[columns[right]] for pair, (left, right) in PAIRS.items()}
    return hands[["seed", "hand", "multiset"]].assign(**differences)


def _flatten(interval: Interval) -> dict[str, float]:
    return {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
