"""Evidence on accuracy through SFT and RL: claims 1 and 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from card24_pipeline.reporting.claims import Evidence, EvidenceBuilder, Statement
from card24_pipeline.reporting.published import PublishedFigure, PublishedResults
from card24_pipeline.reporting.recovery_choices import ID_TOLERANCE
from card24_pipeline.reporting.rl_contrasts import BEFORE, PLAIN, sort_roles
from card24_pipeline.reporting.tables import name_role

LLAMA, QWEN = "Llama-3.2-11B", "Qwen2.5-7B"
MAX_OOD_STEPS = {LLAMA: 140, QWEN: 120}
END_STEPS = {LLAMA: 1100, QWEN: 800}
MIDDLE_STEPS = (500, 700, 900)

# Weights of models, each named by its arm and the role of its SFT checkpoint.
Weights = Mapping[tuple[str, str], float]


class AccuracyClaims:
    """Measures what claims 1 and 4 say of pass@1, hand by hand within a seed."""

    def __init__(
        self, models: pd.DataFrame, runs: pd.DataFrame, published: PublishedResults, builder: EvidenceBuilder
    ) -> None:
        """Take what is measured and how.

        Args:
            models: Output of ``lay_out_models``.
            runs: Output of ``summarise_runs``, which tells what runs count.
            published: The published accuracies.
            builder: Settings of the bootstrap.
        """
        self._models = models
        self._published = published
        self._builder = builder
        plain = runs[runs["arm"] == PLAIN]
        self._counts = plain.groupby("role")["counts"].all().to_dict()
        roles = models.columns.get_level_values("role")
        self._rungs = [role for role in sort_roles(roles) if role.startswith("rung")]

    def gather(self) -> list[Evidence]:
        """Measure every statement of claims 1 and 4."""
        return [*self._gather_sft(), *self._gather_rl(), *self._gather_order()]

    def _gather_sft(self) -> list[Evidence]:
        fall: Weights = {(BEFORE, "max_ood"): 1, (BEFORE, "end"): -1}
        rise = {model: -weight for model, weight in fall.items()}
        peak = Statement(
            1,
            "ood_peaks_before_end",
            "OOD peaks before the last checkpoint of SFT (MaxOOD − End)",
            by_construction=True,
            published=[self._compare_sft(model, "ood", sign=1) for model in (LLAMA, QWEN)],
        )
        seen = Statement(
            1,
            "id_seen_does_not_fall",
            "Meanwhile ID on the multisets of SFT does not fall by a point (End − MaxOOD)",
            bound=-ID_TOLERANCE,
            published=[self._compare_sft(model, "id", sign=-1) for model in (LLAMA, QWEN)],
        )
        heldout = Statement(
            1,
            "id_heldout_does_not_fall",
            "… nor does ID on held-out multisets",
            bound=-ID_TOLERANCE,
        )
        return [
            self._measure(peak, fall),
            self._measure(seen, rise, "id_seen"),
            self._measure(heldout, rise, "id_heldout"),
        ]

    def _gather_rl(self) -> list[Evidence]:
        from_end = Statement(
            1,
            "rl_from_end_raises_ood",
            "RL from End raises OOD",
            published=[
                self._published.compare(model, ("rl", step), ("sft_end", step), "ood", "RL − End")
                for model, step in END_STEPS.items()
            ],
        )
        from_middle = Statement(
            1,
            "rl_from_middle_raises_ood",
            "RL from the middle of the ladder raises OOD",
            published=[
                self._published.compare(LLAMA, ("rl", step), ("sft", step), "ood", f"RL − SFT at step {step}")
                for step in MIDDLE_STEPS
            ],
        )
        less = Statement(1, "rl_raises_less_from_end", "RL raises OOD less from End than from the middle of the ladder")
        gain, gain_middle = self._weigh_gain(["end"]), self._weigh_gain(self._rungs)
        return [
            self._measure(from_middle, gain_middle, runs=self._rungs),
            self._measure(from_end, gain, runs=["end"]),
            self._measure(less, _subtract(gain_middle, gain), runs=["end", *self._rungs]),
        ]

    def _gather_order(self) -> list[Evidence]:
        after_end: Weights = {(PLAIN, "end"): 1}
        max_ood: Weights = {(PLAIN, "max_ood"): 1}
        ahead = Statement(
            4,
            "max_ood_stays_ahead",
            "After RL, the model that started from MaxOOD is above the one from End on OOD",
            published=[
                self._published.compare(
                    LLAMA, ("rl", MAX_OOD_STEPS[LLAMA]), ("rl", END_STEPS[LLAMA]), "ood", "after RL, step 140 − 1100"
                )
            ],
        )
        middle = Statement(4, "middle_stays_ahead", "… so are those from the middle of the ladder")
        more = Statement(4, "rl_adds_more_to_max_ood", "RL adds more OOD to MaxOOD than to End")
        share = 1 / len(self._rungs) if self._rungs else 0
        from_middle = {(PLAIN, rung): share for rung in self._rungs}
        gains = _subtract(self._weigh_gain(["max_ood"]), self._weigh_gain(["end"]))
        return [
            self._measure(ahead, _subtract(max_ood, after_end), runs=["max_ood", "end"]),
            self._measure(middle, _subtract(from_middle, after_end), runs=["end", *self._rungs]),
            self._measure(more, gains, runs=["max_ood", "end"]),
        ]

    def _weigh_gain(self, roles: list[str]) -> Weights:
        """Weigh what RL adds, as a mean over these starts."""
        return {(arm, role): sign / len(roles) for role in roles for arm, sign in ((PLAIN, 1), (BEFORE, -1))}

    def _measure(
        self, statement: Statement, weights: Weights, split: str = "ood", *, runs: Sequence[str] = ()
    ) -> Evidence:
        """Measure a weighted sum of pass@1 over the seeds that have all of its models."""
        if not weights or not set(weights) <= set(self._models.columns):
            return Evidence(statement, note="not measured: RL has not been run from there")
        value = pd.DataFrame({model: weight * self._models[model] for model, weight in weights.items()}).sum(
            axis="columns", skipna=False
        )
        table = value.rename("value").reset_index().dropna()
        idle = [role for role in runs if not self._counts.get(role, False)]
        note = (
            f"RL from {', '.join(map(name_role, idle))} does not count: too few updates, or its reward did not rise"
            if idle
            else ""
        )
        return self._builder.take_mean(statement, table[table["split"] == split], note=note, decides=not idle)

    def _compare_sft(self, model: str, split: str, *, sign: int) -> PublishedFigure:
        ends = [("sft_max_ood", MAX_OOD_STEPS[model]), ("sft_end", END_STEPS[model])]
        left, right = ends if sign > 0 else reversed(ends)
        return self._published.compare(model, left, right, split, "MaxOOD − End" if sign > 0 else "End − MaxOOD")


def _subtract(left: Weights, right: Weights) -> Weights:
    return {model: left.get(model, 0) - right.get(model, 0) for model in {**left, **right}} if left and right else {}
