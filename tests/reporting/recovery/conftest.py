"""A recovery study in miniature whose every share can be worked out by hand."""

import math

import pandas as pd
import pytest

from card24_pipeline.reporting.recovery_choices import choose_knobs
from card24_pipeline.reporting.recovery_models import lay_out_recovery, list_models
from card24_pipeline.reporting.recovery_points import RecoveryBuilder

SPLITS = ("id_seen", "id_heldout", "ood_select", "ood")
MULTISETS = 20
STEPS = {"max_ood": 10, "end": 40}
UPDATES = 3
PASSES = {
    # model: share of multisets passed on each of SPLITS
    "base": (0.10, 0.10, 0.60, 0.60),
    "max_ood": (0.50, 0.40, 0.80, 0.80),
    "end": (0.90, 0.30, 0.20, 0.20),
    "plain": (0.95, 0.30, 0.30, 0.30),
    "anchored": (0.90, 0.30, 0.40, 0.40),
}
EDITS = {
    # family: name of the knob, and by knob the share passed on each of SPLITS
    "uv_top donor=max_ood": (
        "top_fraction",
        {0.1: (0.90, 0.30, 0.40, 0.40), 0.2: (0.90, 0.30, 0.50, 0.50), 0.5: (0.50, 0.30, 0.70, 0.70)},
    ),
    "uv_top donor=max_ood sigma=donor": ("top_fraction", {0.2: (0.90, 0.30, 0.75, 0.75)}),
    "uv_top donor=base": ("top_fraction", {0.2: (0.90, 0.30, 0.30, 0.30)}),
    "uv_random donor=max_ood": ("random_fraction", {0.1: (0.90, 0.30, 0.20, 0.20), 0.2: (0.90, 0.30, 0.20, 0.20)}),
    "layer_reset donor=max_ood": ("quarter", {1: (0.90, 0.30, 0.80, 0.80), 4: (0.90, 0.30, 0.20, 0.20)}),
    "layer_reset donor=max_ood embeddings": ("quarter", {1: (0.50, 0.30, 0.20, 0.20)}),
    "interpolation donor=max_ood": ("donor_share", {0.5: (0.90, 0.30, 0.60, 0.80)}),
    "lines donor=max_ood": ("shallow_share", {0.2: (0.85, 0.30, 0.60, 0.60), 0.4: (0.60, 0.30, 0.50, 0.50)}),
    "singular_values donor=max_ood": ("", {math.nan: (0.80, 0.30, 0.20, 0.20)}),
}
FLOPS = 1_000


def make_hands(passes, **columns):
    """Two hands of each multiset in each split; the first ``passes`` of the multisets are solved."""
    frames = [
        pd.DataFrame(
            {
                "split": split,
                "hand": range(2 * MULTISETS),
                "multiset": [f"{split}-{hand // 2}" for hand in range(2 * MULTISETS)],
                "base_met_multiset": [hand // 2 % 2 == 0 for hand in range(2 * MULTISETS)],
                "passed": [hand // 2 < round(share * MULTISETS) for hand in range(2 * MULTISETS)],
            }
        )
        for split, share in zip(SPLITS, passes, strict=True)
    ]
    return pd.concat(frames, ignore_index=True).assign(**columns)


def name_variant(family, knob_name, knob):
    return f"{family} {knob_name}={knob:g}" if knob_name else family


class Study:
    """The tables of a study; a test changes ``passes`` or ``edits`` before it asks for them."""

    def __init__(self):
        self.seeds = (0, 1)
        self.passes = dict(PASSES)
        self.edits = {family: (knob_name, dict(knobs)) for family, (knob_name, knobs) in EDITS.items()}

    def list_edits(self):
        return [
            (family, knob_name, knob, passes)
            for family, (knob_name, knobs) in self.edits.items()
            for knob, passes in knobs.items()
        ]

    def make_base_hands(self):
        return make_hands(self.passes["base"])

    def make_sft_hands(self):
        parts = [make_hands(self.passes[role], seed=s, step=step) for s in self.seeds for role, step in STEPS.items()]
        published = parts[0].query("split == 'ood'").assign(split="published_ood")
        return pd.concat([*parts, published], ignore_index=True)

    def make_selected(self):
        return pd.DataFrame(
            [{"seed": seed, "role": role, "step": step} for seed in self.seeds for role, step in STEPS.items()]
        )

    def make_rl_hands(self, arm):
        parts = [make_hands(self.passes.get(arm, PASSES[arm]), seed=s, from_step=STEPS["end"]) for s in self.seeds]
        hands = pd.concat(parts, ignore_index=True)
        return hands if arm in self.passes else hands.iloc[:0]

    def make_history(self, arm):
        rows = [
            {"seed": seed, "from_step": step, "update": update, "flops": 10_000 * (seed + 1) * update}
            for seed in self.seeds
            for step in STEPS.values()
            for update in range(1, UPDATES + 1)
        ]
        history = pd.DataFrame(rows)
        return history if arm in self.passes else history.iloc[:0]

    def make_variants(self):
        rows = []
        for seed in self.seeds:
            for family, knob_name, knob, _ in self.list_edits():
                method, donor = family.split()[:2]
                sigma = "donor" if "sigma=donor" in family else "target" if method.startswith("uv_") else ""
                rows.append(
                    {"seed": seed, "variant": name_variant(family, knob_name, knob), "family": family}
                    | {"method": method, "donor": donor.removeprefix("donor="), "knob_name": knob_name, "knob": knob}
                    | {"sigma": sigma, "matrices": "attention,mlp", "embeddings": family.endswith("embeddings")}
                    | {"tensors_touched": 7, "edit_flops": 0 if method == "layer_reset" else FLOPS * (seed + 1)}
                )
        return pd.DataFrame(rows)

    def make_recovery_hands(self):
        parts = [
            make_hands(passes, seed=seed, variant=name_variant(family, knob_name, knob))
            for seed in self.seeds
            for family, knob_name, knob, passes in self.list_edits()
        ]
        return pd.concat(parts, ignore_index=True)

    def lay_out(self):
        rl_hands = {arm: self.make_rl_hands(arm) for arm in ("plain", "anchored")}
        return lay_out_recovery(
            self.make_base_hands(),
            self.make_sft_hands(),
            self.make_selected(),
            rl_hands,
            self.make_recovery_hands(),
        )

    def list_models(self):
        history = {arm: self.make_history(arm) for arm in ("plain", "anchored")}
        return list_models(self.make_variants(), self.lay_out(), self.make_selected(), history)

    def trace_points(self, resamples=200):
        builder = RecoveryBuilder(resamples=resamples, confidence=0.95, seed=1)
        return builder.trace_points(self.lay_out(), self.list_models())

    def choose(self, points):
        builder = RecoveryBuilder(resamples=200, confidence=0.95, seed=1)
        return builder.measure_leads(self.lay_out(), choose_knobs(points))


@pytest.fixture
def study():
    return Study()
