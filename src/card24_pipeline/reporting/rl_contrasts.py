"""What reinforcement learning (RL) changed: paired contrasts of pass@1, with intervals over multisets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from card24_pipeline.evaluation.statistics import Interval
from card24_pipeline.reporting.resampling import bootstrap_over_multisets, bootstrap_share, each_set_of_seeds
from card24_pipeline.reporting.rl_shares import (
    OVERLAPS,
    bootstrap_overlap,
    mark_overlaps,
    name_gain_share,
    name_overlap,
)

BEFORE = "before"
PLAIN, ANCHORED = ARMS = ("plain", "anchored")
IDENTITY = ["seed", "split", "base_met_multiset", "hand", "multiset"]


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of pass@1 over models.

    Attributes:
        name: How tables call it.
        weights: Weight of each model, which is named by its arm (``"before"`` for the SFT checkpoint itself) and
            by the role of the SFT checkpoint.
    """

    name: str
    weights: Mapping[tuple[str, str], int]

    @property
    def runs(self) -> set[tuple[str, str]]:
        """The RL runs that it rests on, by arm and role."""
        return {model for model in self.weights if model[0] != BEFORE}


def contrast_before(left: str, right: str) -> Contrast:
    """By how much one start is ahead of another before RL."""
    return Contrast(f"before: {left} - {right}", {(BEFORE, left): 1, (BEFORE, right): -1})


def contrast_gain(arm: str, role: str) -> Contrast:
    """What RL added to the checkpoint that it started from."""
    return Contrast(f"{arm}: after - before from {role}", {(arm, role): 1, (BEFORE, role): -1})


def contrast_gains(arm: str, left: str, right: str) -> Contrast:
    """By how much RL from one checkpoint gained more than RL from another."""
    weights = {(arm, left): 1, (BEFORE, left): -1, (arm, right): -1, (BEFORE, right): 1}
    return Contrast(f"{arm}: gain from {left} - gain from {right}", weights)


def contrast_after(arm: str, left: str, right: str) -> Contrast:
    """By how much one start is ahead of another after RL."""
    return Contrast(f"{arm}: after from {left} - after from {right}", {(arm, left): 1, (arm, right): -1})


def contrast_keeping(arm: str) -> Contrast:
    """By how much RL from End is ahead of MaxOOD as it was before RL."""
    return Contrast(f"{arm}: after from end - before max_ood", {(arm, "end"): 1, (BEFORE, "max_ood"): -1})


def contrast_arms(role: str) -> Contrast:
    """By how much the anchored arm ends above the plain one from the same start."""
    return Contrast(f"anchored - plain: after from {role}", {(ANCHORED, role): 1, (PLAIN, role): -1})


def list_contrasts(roles: Iterable[str]) -> list[Contrast]:
    """List every contrast of the report, for the roles of SFT checkpoints that there are."""
    ordered = sort_roles(roles)
    rungs = [role for role in ordered if role.startswith("rung")]
    contrasts = [contrast_before(role, "end") for role in ordered if role != "end"]
    for arm in ARMS:
        contrasts += [contrast_gain(arm, role) for role in ordered]
        contrasts.append(contrast_keeping(arm))
        contrasts += [contrast_gains(arm, role, "end") for role in ordered if role != "end"]
        contrasts += [contrast_after(arm, role, "end") for role in ordered if role != "end"]
        contrasts += [contrast_after(arm, "max_ood", rung) for rung in rungs]
    return contrasts + [contrast_arms(role) for role in ordered]


def sort_roles(roles: Iterable[str]) -> list[str]:
    """Sort roles down the ladder: MaxOOD, the rungs, End."""
    ends = {"max_ood": (0, 0), "end": (2, 0)}
    return sorted(set(roles), key=lambda role: ends.get(role) or (1, int(role.rpartition("_")[2])))


def lay_out_models(
    sft_hands: pd.DataFrame, selected: pd.DataFrame, rl_hands: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Lay the hands out with one row per seed and hand, and one 0/1 column per model.

    Args:
        sft_hands: Graded hands of every seed and SFT step.
        selected: Columns ``seed``, ``role``, ``step``; two roles may share a step.
        rl_hands: Graded hands after RL by arm, with ``from_step`` in place of ``step``.

    Returns:
        ``IDENTITY`` as index, and a float column for each (arm, role); a model that a seed lacks is NaN there.

    Raises:
        ValueError: If a model of a seed was scored on some of that seed's hands only: nothing would be paired.
    """
    frames = {BEFORE: sft_hands} | {arm: hands.rename(columns={"from_step": "step"}) for arm, hands in rl_hands.items()}
    parts = [
        hands[[*IDENTITY, "step", "passed"]].merge(selected[["seed", "role", "step"]], on=["seed", "step"])
        for hands in frames.values()
        if len(hands)
    ]
    arms = [arm for arm, hands in frames.items() if len(hands)]
    long = pd.concat([part.assign(arm=arm) for arm, part in zip(arms, parts, strict=True)])
    wide = long.astype({"passed": np.float64}).pivot(index=IDENTITY, columns=["arm", "role"], values="passed")
    scored = wide.notna().groupby("seed").mean()
    for model in scored.columns:
        for seed, share in scored[model].items():
            if share not in (0, 1):
                raise ValueError(f"seed {seed}: '{' '.join(model)}' was scored on {share:.0%} of the hands of others")
    return wide


class RlContrastBuilder:
    """Turns graded hands before and after RL into contrasts; holds the bootstrap's settings."""

    def __init__(self, *, resamples: int, confidence: float, seed: int) -> None:
        """Set the number of bootstrap draws, the two-sided level and the seed of the draws."""
        self._bootstrap = partial(bootstrap_over_multisets, resamples=resamples, confidence=confidence, seed=seed)
        self._bootstrap_share = partial(bootstrap_share, resamples=resamples, confidence=confidence, seed=seed)
        self._bootstrap_overlap = partial(bootstrap_overlap, resamples=resamples, confidence=confidence, seed=seed)

    def contrast_models(
        self, sft_hands: pd.DataFrame, selected: pd.DataFrame, rl_hands: Mapping[str, pd.DataFrame]
    ) -> pd.DataFrame:
        """Take every contrast of ``list_contrasts`` whose models there are, hand by hand within a seed.

        Args:
            sft_hands: Graded hands of every seed and SFT step.
            selected: Columns ``seed``, ``role``, ``step``.
            rl_hands: Graded hands after RL by arm, with ``from_step`` in place of ``step``.

        Returns:
            For each split, acquaintance, contrast and scope ("all seeds" or "seed n"): ``difference`` of pass@1
            with ``low`` and ``high``, the number of ``hands`` over all seeds, ``multisets``, and the number of
            ``seeds`` that have all models of the contrast. In the rows that ``list_shares`` names, the three figures
            are shares (1 is the whole) and not differences: see ``bootstrap_share`` and ``bootstrap_overlap``, also
            for where they are NaN; ``hands`` is there the number of which they are a share.
        """
        models = lay_out_models(sft_hands, selected, rl_hands)
        marks: dict[str, pd.Series] = {}
        taken = {
            contrast.name: sum(weight * models[model] for model, weight in contrast.weights.items())
            for contrast in list_contrasts(selected["role"])
            if set(contrast.weights) <= set(models.columns)
        }
        for arm in ARMS:
            if (arm, "end") in models.columns:
                before = models[BEFORE, "max_ood"], models[BEFORE, "end"]
                marks |= mark_overlaps(*before, models[arm, "end"], arm)
        table = pd.DataFrame(taken | marks).reset_index()
        rows = []
        for where, hands in _each_scope(table):
            for names, paired in each_set_of_seeds(hands, list(taken)):
                facts = {"multisets": paired["multiset"].nunique(), "seeds": paired["seed"].nunique()}
                counted = [(interval, len(paired)) for interval in self._bootstrap(paired, names)]
                found = dict(zip(names, counted, strict=True)) | self._take_shares(paired, names)
                rows += [
                    {**where, "contrast": name, **_flatten(interval), "hands": count, **facts}
                    for name, (interval, count) in found.items()
                ]
        return pd.DataFrame(rows)

    def _take_shares(self, hands: pd.DataFrame, names: list[str]) -> dict[str, tuple[Interval, int]]:
        """Return the shares, and of how many hands, of each arm among the named contrasts that has run from End."""
        shares = {}
        loss = contrast_before("max_ood", "end").name
        for arm in ARMS:
            gain = contrast_gain(arm, "end").name
            if gain in names:
                shares[name_gain_share(arm)] = self._bootstrap_share(hands, gain, loss), len(hands)
                shares |= {
                    name: self._bootstrap_overlap(hands, name)
                    for name in (name_overlap(arm, overlap) for overlap in OVERLAPS)
                }
        return shares

    def trace_gains(self, sft_hands: pd.DataFrame, rl_hands: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """Pair hands before and after RL, by the SFT step that RL started from and over the seeds that did so.

        Args:
            sft_hands: Graded hands of every seed and SFT step.
            rl_hands: Graded hands after RL by arm, with ``from_step`` in place of ``step``.

        Returns:
            Columns ``arm``, ``split``, ``from_step``, pass@1 ``before`` and ``after``, their ``difference`` with
            ``low`` and ``high``, and ``seeds``.
        """
        before = sft_hands[[*IDENTITY, "step", "passed"]].rename(columns={"step": "from_step", "passed": "before"})
        rows = []
        for arm, hands in rl_hands.items():
            after = hands[[*IDENTITY, "from_step", "passed"]].rename(columns={"passed": "after"})
            paired = before.merge(after, on=[*IDENTITY, "from_step"]) if len(after) else after
            for (split, step), group in paired.groupby(["split", "from_step"]):
                table = group.astype({"before": np.float64, "after": np.float64})
                (interval,) = self._bootstrap(table.assign(gain=table["after"] - table["before"]), ["gain"])
                rows.append(
                    {"arm": arm, "split": split, "from_step": step, "before": table["before"].mean()}
                    | {"after": table["after"].mean(), **_flatten(interval), "seeds": table["seed"].nunique()}
                )
        columns = ["arm", "split", "from_step", "before", "after", "difference", "low", "high", "seeds"]
        return pd.DataFrame(rows, columns=columns)


def _each_scope(table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield every split, acquaintance and scope, with its hands."""
    for split in sorted(table["split"].unique()):
        for met, wanted in (("all", (True, False)), ("met", (True,)), ("never_met", (False,))):
            group = table[(table["split"] == split) & table["base_met_multiset"].isin(wanted)]
            scopes = {"all seeds": group} | {f"seed {seed}": part for seed, part in group.groupby("seed")}
            for scope, part in scopes.items():
                if len(part):
                    yield {"split": split, "base_met_multiset": met, "scope": scope}, part


def _flatten(interval: Interval) -> dict[str, float]:
    return {"difference": interval.estimate, "low": interval.low, "high": interval.high}
