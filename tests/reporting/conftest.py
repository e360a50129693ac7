"""A study in miniature whose every figure can be worked out by hand."""

import pandas as pd
import pytest

from card24_pipeline.reporting.curves import CurveBuilder

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
