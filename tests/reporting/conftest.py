"""A study in miniature whose every figure can be worked out by hand."""

import pandas as pd
import pytest

from card24_pipeline.reporting.curves import CurveBuilder
from card24_pipeline.reporting.rl_contrasts import RlContrastBuilder
from card24_pipeline.reporting.rl_runs import summarise_runs

SPLITS = {
    # split: share passed at step 0 (base), 10 and 40, for both seeds
    "id_heldout": (0.0, 0.5, 1.0),
    "id_seen": (0.25, 0.25, 1.0),
    "ood": (0.25, 1.0, 0.0),
}
MULTISETS, SEEDS, STEPS = 4, (0, 1), (10, 40)


def make_split(split, share):
    """Four multisets of two hands; the base never met the last; the first ``share`` of them are passed."""
    return pd.DataFrame(
        {
            "split": split,
            "hand": range(2 * MULTISETS),
            "multiset": [f"{split}-{hand // 2}" for hand in range(2 * MULTISETS)],
            "base_met_multiset": [hand // 2 < MULTISETS - 1 for hand in range(2 * MULTISETS)],
            "passed": [hand // 2 < share * MULTISETS for hand in range(2 * MULTISETS)],
        }
    )


@pytest.fixture
def base_hands():
    return pd.concat([make_split(split, shares[0]) for split, shares in SPLITS.items()], ignore_index=True)


@pytest.fixture
def sft_hands():
    frames = [
        make_split(split, share).assign(seed=seed, step=step)
        for seed in SEEDS
        for split, shares in SPLITS.items()
        for step, share in zip(STEPS, shares[1:], strict=True)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def selected():
    return pd.DataFrame({"seed": [0, 0, 1, 1], "role": ["max_ood", "end"] * 2, "step": [10, 40] * 2})


@pytest.fixture
def scores(base_hands, sft_hands):
    """Scores of every seed and step by split, the base as step 0."""
    hands = pd.concat([*(base_hands.assign(seed=seed, step=0) for seed in SEEDS), sft_hands])
    groups = {"all": hands, "met": hands[hands["base_met_multiset"]], "never_met": hands[~hands["base_met_multiset"]]}
    frames = [
        group.groupby(["seed", "step", "split"])["passed"]
        .mean()
        .rename("pass_at_1")
        .reset_index()
        .assign(base_met_multiset=name, card_to_number_accuracy=0.875, forward_kl_nats=0.0625)
        for name, group in groups.items()
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def builder():
    return CurveBuilder(resamples=300, confidence=0.95, seed=1)


LADDER = {"max_ood": 10, "rung_1": 20, "end": 40}
BEFORE_RL = {
    # split: share passed before RL at each step of the ladder
    "id_heldout": (0.5, 0.5, 1.0),
    "id_seen": (0.25, 0.5, 1.0),
    "ood": (1.0, 0.75, 0.0),
}
AFTER_RL = {
    # arm and role of the start: share passed after RL
    ("plain", "max_ood"): {"id_heldout": 0.5, "id_seen": 0.5, "ood": 0.75},
    ("plain", "rung_1"): {"id_heldout": 0.5, "id_seen": 0.75, "ood": 0.75},
    ("plain", "end"): {"id_heldout": 0.75, "id_seen": 1.0, "ood": 0.5},
    ("anchored", "end"): {"id_heldout": 1.0, "id_seen": 0.75, "ood": 0.75},
}


@pytest.fixture
def rl_builder():
    return RlContrastBuilder(resamples=300, confidence=0.95, seed=1)


@pytest.fixture
def ladder():
    """The selected checkpoints of a ladder with one rung."""
    return pd.DataFrame([{"seed": seed, "role": role, "step": LADDER[role]} for seed in SEEDS for role in LADDER])


@pytest.fixture
def ladder_hands():
    """Hands before RL at each step of the ladder."""
    frames = [
        make_split(split, share).assign(seed=seed, step=step)
        for seed in SEEDS
        for split, shares in BEFORE_RL.items()
        for step, share in zip(LADDER.values(), shares, strict=True)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def rl_hands():
    """Hands after RL by arm: plain from the whole ladder, anchored from End only."""
    arms = {}
    for (arm, role), shares in AFTER_RL.items():
        arms.setdefault(arm, []).extend(
            make_split(split, share).assign(seed=seed, from_step=LADDER[role])
            for seed in SEEDS
            for split, share in shares.items()
        )
    return {arm: pd.concat(frames, ignore_index=True) for arm, frames in arms.items()}


@pytest.fixture
def rl_scores(rl_hands):
    return {
        arm: hands.groupby(["seed", "from_step", "split"])["passed"]
        .mean()
        .rename("pass_at_1")
        .reset_index()
        .assign(base_met_multiset="all", card_to_number_accuracy=0.875, forward_kl_nats=0.0625)
        for arm, hands in rl_hands.items()
    }


@pytest.fixture
def make_history(rl_hands):
    """Make a history of every run: the reward rises by ``slope`` an update."""

    def make(updates=60, hands=256, slope=0.125):
        def run(seed, step):
            numbers = range(1, updates + 1)
            return pd.DataFrame(
                {
                    "seed": seed,
                    "from_step": step,
                    "update": numbers,
                    "reward": [slope * number for number in numbers],
                    "success": 0.5,
                    "entropy_nats": [1 / number for number in numbers],
                    "kl_start_nats": [number / 1000 for number in numbers],
                    "kl_anchor_nats": float("nan"),
                    "explained_variance": [number / 1000 for number in numbers],
                    "clip_fraction": 0.25,
                    "hands": [hands * number for number in numbers],
                }
            )

        starts = {arm: frame[["seed", "from_step"]].drop_duplicates() for arm, frame in rl_hands.items()}
        return {
            arm: pd.concat([run(*start) for start in chosen.itertuples(index=False)], ignore_index=True)
            for arm, chosen in starts.items()
        }

    return make


@pytest.fixture
def runs(ladder, ladder_hands, rl_scores, make_history):
    return summarise_runs(ladder, ladder_hands, rl_scores, make_history())
