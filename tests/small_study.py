"""A study in miniature whose every figure can be worked out by hand; a test changes it before it asks for tables."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

COMPARE_ARMS = {"main_annealed": "main", "tuned": "main", "tuned_annealed": "tuned"}
ARM_NOTES = {"main": "chosen for its effect"}
SPLITS = ("id_seen", "id_heldout", "ood_select", "ood")
MULTISETS = 20
SEEDS = (0, 1, 2, 3)
STEPS = {"max_ood": 10, "rung_1": 20, "end": 40}
ROLES = STEPS | {"id_70": 20}
PASSES = {
    # model: share of multisets passed on each of SPLITS
    "base": (0.10, 0.10, 0.60, 0.60),
    "max_ood": (0.50, 0.40, 0.80, 0.80),
    "rung_1": (0.70, 0.35, 0.50, 0.50),
    "end": (0.90, 0.30, 0.20, 0.20),
}
ARMS = {
    # other SFT arms, whose steps are the same: id_70 is the step of rung_1
    "main_annealed": {
        "max_ood": (0.50, 0.40, 0.80, 0.80),
        "id_70": (0.70, 0.35, 0.50, 0.50),
        "end": (0.95, 0.30, 0.25, 0.25),
    },
    "tuned": {"max_ood": (0.60, 0.45, 0.85, 0.85), "id_70": (0.70, 0.45, 0.75, 0.75), "end": (0.95, 0.45, 0.60, 0.60)},
    "tuned_annealed": {
        "max_ood": (0.60, 0.45, 0.85, 0.85),
        "id_70": (0.70, 0.45, 0.75, 0.75),
        "end": (0.95, 0.45, 0.65, 0.65),
    },
}
RL_ARMS = {"plain": {"sft_arm": "main", "roles": "all"}, "anchored": {"sft_arm": "main", "roles": ["end"]}}
RL = {
    # arm and start: share passed after RL
    ("plain", "max_ood"): (0.60, 0.40, 0.70, 0.70),
    ("plain", "rung_1"): (0.80, 0.35, 0.50, 0.50),
    ("plain", "end"): (0.95, 0.30, 0.30, 0.30),
    ("anchored", "end"): (0.90, 0.30, 0.40, 0.40),
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
    "layer_scaling donor=max_ood": ("shallow_share", {0.2: (0.85, 0.30, 0.60, 0.60), 0.4: (0.60, 0.30, 0.50, 0.50)}),
    "singular_values donor=max_ood": ("", {math.nan: (0.80, 0.30, 0.20, 0.20)}),
}
FLOPS, UPDATES, HANDS_PER_UPDATE = 1_000, 60, 256
MATRICES = [
    {"tensor": f"layers.{layer}.{kind}", "part": part, "kind": kind, "layer": layer}
    for layer in (0, 1)
    for part, kind in (("attention", "q_proj"), ("mlp", "up_proj"))
]
DRAWS = {"observed": 1, "gaussian": 3, "spectrum_matched": 3}
INDICES = 20


def make_hands(passes, **columns):
    """Two hands of each multiset in each split; the first ``passes`` of the multisets are solved."""
    numbers = range(2 * MULTISETS)
    frames = [
        pd.DataFrame(
            {
                "split": split,
                "hand": numbers,
                "multiset": [f"{split}-{hand // 2:02}" for hand in numbers],
                "cards": "J A A 8",
                "base_met_multiset": [hand // 2 % 2 == 0 for hand in numbers],
                "answer": [f"answer {hand}" for hand in numbers],
                "passed": [hand // 2 < round(share * MULTISETS) for hand in numbers],
            }
        )
        for split, share in zip(SPLITS, passes, strict=True)
    ]
    hands = pd.concat(frames, ignore_index=True).assign(**columns)
    return hands.assign(outcome=np.where(hands["passed"], "correct", "wrong_value"))


def name_variant(family, knob_name, knob):
    return f"{family} {knob_name}={knob:g}" if knob_name else family


def add_sft_arm(table):
    """As reading does; a table that names it keeps it, and the base's has no arm."""
    return table.assign(sft_arm="main") if {"rl_arm", "edit_arm"} & {*table} and "sft_arm" not in table else table


class Study:
    """Its parts: ``passes``, ``arms``, ``rl``, ``edits``, ``seeds``, ``updates`` and ``slope`` of the reward.

    Seeds are alike, unless ``vary`` says otherwise; a base that ``is_shared`` is one for all.
    """

    def __init__(self):
        self.seeds, self.is_shared = SEEDS, False
        self.arms, self.rl_arms = {arm: dict(passes) for arm, passes in ARMS.items()}, dict(RL_ARMS)
        self.passes, self.rl = dict(PASSES), dict(RL)
        self.edits = {family: (knob_name, dict(knobs)) for family, (knob_name, knobs) in EDITS.items()}
        self.updates, self.slope = UPDATES, 0.125

    def tables(self, **changed):
        """Make the tables, with any of them changed."""
        from card24_pipeline.findings.reading import StudyTables

        sft_spectra, sft_by_index = self.spectra("sft_arm", ["base_to_sft"]), self.by_index("sft_arm", "base_to_sft")
        rl_hands = self.rl_hands()
        tables = StudyTables(
            base_hand_scores=self.base_hands(),
            sft_hand_scores=self.sft_hands(),
            selected_checkpoints=self.selected(),
            rl_hand_scores=rl_hands,
            rl_scores=self.rl_scores(rl_hands),
            rl_history=self.history(),
            edit_variants=self.variants(),
            edit_hand_scores=self.edit_hands(),
            sft_spectra=sft_spectra,
            sft_spectra_by_index=sft_by_index,
            rl_spectra=self.spectra("rl_arm", ["sft_to_rl"], "plain"),
            rl_spectra_by_index=self.by_index("rl_arm", "sft_to_rl", "plain"),
            rl_return=self.rl_return(),
            rl_arms=self.rl_arms,
        )
        changed = {name: add_sft_arm(table) for name, table in changed.items()}
        made = {name: add_sft_arm(table) for name, table in vars(tables).items() if name != "rl_arms"}
        return replace(tables, **made | changed)

    def estimate(self, resamples=200, **changed):
        """Return models, estimates and runs."""
        from card24_pipeline.findings.gathering import estimate_study
        from card24_pipeline.findings.resampling import Bootstrap

        return estimate_study(self.tables(**changed), Bootstrap(resamples, 1, 0.95), "ood", COMPARE_ARMS)

    def find(self, **changed):
        """Return the findings."""
        from card24_pipeline.findings.lookup import Findings

        return Findings(*self.estimate(**changed), "ood", 0.95, COMPARE_ARMS, ARM_NOTES)

    def base_hands(self):
        if self.is_shared:
            return make_hands(self.passes["base"])
        parts = [make_hands(self.vary(self.passes["base"], seed), seed=seed) for seed in self.seeds]
        return pd.concat(parts, ignore_index=True)

    def vary(self, passes, seed):
        """What a seed passes; a test may say otherwise."""
        return passes

    def sft_hands(self):
        steps = [("main", step, self.passes[role]) for role, step in STEPS.items()]
        steps += [(arm, ROLES[role], passes) for arm, by_role in self.arms.items() for role, passes in by_role.items()]
        parts = [
            make_hands(self.vary(passes, seed), seed=seed, sft_arm=arm, step=step)
            for seed in self.seeds
            for arm, step, passes in steps
        ]
        published = parts[0].query("split == 'ood'").assign(split="published_ood")
        return pd.concat([*parts, published], ignore_index=True)

    def selected(self):
        roles = [("main", role, step) for role, step in ROLES.items()]
        roles += [(arm, role, ROLES[role]) for arm, by_role in self.arms.items() for role in by_role]
        rows = [(seed, *row) for seed in self.seeds for row in roles]
        return pd.DataFrame(rows, columns=["seed", "sft_arm", "role", "step"])

    def rl_hands(self):
        parts = [
            make_hands(passes, seed=seed, rl_arm=arm, from_step=STEPS[role])
            for (arm, role), passes in self.rl.items()
            for seed in self.seeds
        ]
        return pd.concat(parts, ignore_index=True)

    def rl_scores(self, hands):
        scores = hands.groupby(["seed", "rl_arm", "from_step", "split"])["passed"].mean().rename("pass_at_1")
        facts = {"base_met_multiset": "all", "card_to_number_accuracy": 0.875, "forward_kl_nats": 0.0625}
        return scores.reset_index().assign(**facts)

    def history(self):
        numbers = np.arange(1, self.updates + 1)
        frames = [
            pd.DataFrame({"seed": seed, "rl_arm": arm, "from_step": STEPS[role], "update": numbers}).assign(
                reward=self.slope * numbers,
                success=0.5,
                entropy_nats=1 / numbers,
                kl_start_nats=numbers / 1000,
                kl_anchor_nats=math.nan,
                explained_variance=numbers / 1000,
                clip_fraction=0.25,
                hands=HANDS_PER_UPDATE * numbers,
                flops=10_000 * (seed + 1) * numbers,
            )
            for arm, role in self.rl
            for seed in self.seeds
        ]
        return pd.concat(frames, ignore_index=True)

    def list_edits(self):
        return [
            (family, knob_name, knob, passes)
            for family, (knob_name, knobs) in self.edits.items()
            for knob, passes in knobs.items()
        ]

    def variants(self):
        rows = []
        for seed in self.seeds:
            for family, knob_name, knob, _ in self.list_edits():
                method, donor = family.split()[:2]
                rows.append(
                    {
                        "seed": seed,
                        "edit_arm": "main",
                        "variant": name_variant(family, knob_name, knob),
                        "family": family,
                    }
                    | {"method": method, "donor": donor.removeprefix("donor="), "knob_name": knob_name, "knob": knob}
                    | {"sigma": "donor" if "sigma=donor" in family else "target", "matrices": "attention,mlp"}
                    | {"embeddings": family.endswith("embeddings"), "tensors_touched": 7}
                    | {"edit_flops": 0 if method == "layer_reset" else FLOPS * (seed + 1)}
                )
        return pd.DataFrame(rows)

    def edit_hands(self):
        parts = [
            make_hands(passes, seed=seed, edit_arm="main", variant=name_variant(family, knob_name, knob))
            for seed in self.seeds
            for family, knob_name, knob, passes in self.list_edits()
        ]
        return pd.concat(parts, ignore_index=True)

    def spectra(self, key, pairs, arm="main"):
        """Everything is the same in the observed change and in the nulls: angles of 10°, shifts of 0.4 %."""
        bands = [("all", 1.0), *((band, fraction) for band in ("top", "bulk", "tail") for fraction in (0.1, 0.2))]
        rows = [
            {"seed": seed, key: arm, "pair": pair, "step": step, **matrix, "model": model, "draw": draw, "band": band}
            | {"fraction": fraction, "relative_sigma_shift": 0.004, "signed_sigma_shift": -0.001}
            | {"left_angle_degrees": math.nan if band == "all" else 8.0}
            | {"right_angle_degrees": math.nan if band == "all" else 12.0}
            | {"energy_inside": 0.25, "norm_ratio": 0.03, "changed_share": 0.9 if model == "observed" else math.nan}
            for seed in self.seeds
            for pair in pairs
            for step in STEPS.values()
            for matrix in MATRICES
            for model, draws in DRAWS.items()
            for draw in range(draws)
            for band, fraction in bands
        ]
        return pd.DataFrame(rows)

    def by_index(self, key, pair, arm="main"):
        """Vectors turn by 30° at both ends and by 10° in the bulk, at gaps that are all alike."""
        position = np.arange(INDICES) / (INDICES - 1)
        cosines = np.cos(np.radians(np.where((position < 0.2) | (position > 0.8), 30.0, 10.0)))
        columns = {"index": range(INDICES), "position": position, "left_cosine": cosines, "right_cosine": cosines}
        frames = [
            pd.DataFrame(
                {"seed": seed, key: arm, "pair": pair, "step": STEPS["end"], **matrix, "model": model} | columns
            )
            for seed in self.seeds
            for matrix in MATRICES
            for model in DRAWS
        ]
        return pd.concat(frames, ignore_index=True).assign(relative_sigma_shift=0.004, relative_gap=1.0)

    def rl_return(self):
        """RL from End goes a quarter of the way to MaxOOD, at a right angle to the way to the base."""
        rows = [
            {"seed": seed, "rl_arm": "plain", "from_step": STEPS["end"], "reference": reference, **matrix}
            | {"projection": share * size, "distance_squared": size, "rl_norm_squared": size / 4}
            | {"left_angle_before_degrees": 20.0, "right_angle_before_degrees": 24.0}
            | {"left_angle_after_degrees": 20.0 - turned, "right_angle_after_degrees": 24.0 - turned}
            for seed in self.seeds
            for reference, share, turned in (("max_ood", 0.25, 1.5), ("base", 0.0, -0.5))
            for size, matrix in enumerate(MATRICES, start=1)
        ]
        return pd.DataFrame(rows)
