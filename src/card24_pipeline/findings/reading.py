"""The study's tables, read together from those of every seed and arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from card24_pipeline.findings.gathering import StudyTables
from card24_pipeline.parameters.plain import to_plain

if TYPE_CHECKING:
    from card24_pipeline.catalog.fan_in import FanInFrames

FRAMES = {
    # attribute of StudyTables: the dataset
    "sft_hands": "sft_hand_scores",
    "selected": "selected_checkpoints",
    "rl_hands": "rl_hand_scores",
    "rl_scores": "rl_scores",
    "rl_history": "rl_history",
    "edit_variants": "edit_variants",
    "edit_hands": "edit_hand_scores",
    "sft_spectra": "sft_spectra",
    "sft_by_index": "sft_spectra_by_index",
    "rl_spectra": "rl_spectra",
    "rl_by_index": "rl_spectra_by_index",
    "rl_return": "rl_return",
}
ARMS = {"sft_arm": "sft_arms", "rl_arm": "rl_arms", "edit_arm": "edit_arms"}
STUDY_INPUTS = {
    "base_hand_scores": "base_hand_scores",
    **{name: f"{name}@all" for name in FRAMES.values()},
    "seeds": "params:seeds",
    **{name: f"params:{name}" for name in ARMS.values()},
}
"""Inputs of a node that reads all of the study's tables."""


def read_study(base_hand_scores: pd.DataFrame, seeds: Sequence[int], inputs: Mapping[str, Any]) -> StudyTables:
    """Read the tables of every seed and arm.

    Args:
        base_hand_scores: The base's graded hands.
        seeds: The study's seeds.
        inputs: The other inputs of ``STUDY_INPUTS``.
    """
    arms = {name: to_plain(inputs[name]) for name in ARMS.values()}
    lists = {"seed": list(seeds), **{key: list(arms[name]) for key, name in ARMS.items()}}
    frames: dict[str, FanInFrames] = {field: inputs[name] for field, name in FRAMES.items()}
    sft_arms = {("rl", name): arm["sft_arm"] for name, arm in arms["rl_arms"].items()}
    sft_arms |= {("edit", name): arm["sft_arm"] for name, arm in arms["edit_arms"].items()}
    return StudyTables(
        base_hands=base_hand_scores, sft_arms=sft_arms, **{field: one.read(**lists) for field, one in frames.items()}
    )
