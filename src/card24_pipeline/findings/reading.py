"""The study's tables, read together from those of every seed and arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import pandas as pd

from card24_pipeline.parameters.plain import to_plain
from card24_pipeline.study.rows import drop_other_names
from card24_pipeline.study.vocabulary import ARMS, starts_from


@dataclass(frozen=True)
class StudyTables:
    """The tables of all seeds and arms, by the names of their datasets.

    Each has columns ``seed``, that of its arm (``sft_arm``, ``rl_arm`` or ``edit_arm``) and ``sft_arm``, the SFT arm
    whose checkpoints that one starts from.

    Attributes:
        base_hand_scores: The base's graded hands: no arm, and of a given base, which seeds share, no ``seed``.
        sft_hand_scores: Graded hands by SFT ``step``.
        selected_checkpoints: ``role`` and ``step``; two roles may share a step.
        rl_hand_scores: Graded hands after RL by ``from_step``.
        rl_scores: Their summaries.
        rl_history: Updates.
        edit_variants: What each edit is.
        edit_hand_scores: Graded hands by ``variant``.
        sft_spectra: Spectra along SFT, by band.
        sft_spectra_by_index: The same by index.
        rl_spectra: Spectra before and after RL, by band.
        rl_spectra_by_index: The same by index.
        rl_return: RL's way back, by matrix.
        rl_arms: The blocks of the RL arms, with ``sft_arm`` and ``roles``.
    """

    base_hand_scores: pd.DataFrame
    sft_hand_scores: pd.DataFrame
    selected_checkpoints: pd.DataFrame
    rl_hand_scores: pd.DataFrame
    rl_scores: pd.DataFrame
    rl_history: pd.DataFrame
    edit_variants: pd.DataFrame
    edit_hand_scores: pd.DataFrame
    sft_spectra: pd.DataFrame
    sft_spectra_by_index: pd.DataFrame
    rl_spectra: pd.DataFrame
    rl_spectra_by_index: pd.DataFrame
    rl_return: pd.DataFrame
    rl_arms: Mapping[str, Mapping[str, Any]]

    @property
    def base_is_shared(self) -> bool:
        """Whether one base, which was given, stands for all seeds."""
        return "seed" not in self.base_hand_scores

    @property
    def starts(self) -> pd.DataFrame:
        """The checkpoints that RL arms start from, with each role that they start from: ``RUN`` and ``role``."""
        selected = self.selected_checkpoints[["seed", "sft_arm", "role", "step"]].rename(columns={"step": "from_step"})
        parts = [
            selected[
                (selected["sft_arm"] == block["sft_arm"]) & selected["role"].map(partial(starts_from, block["roles"]))
            ].assign(rl_arm=arm)
            for arm, block in self.rl_arms.items()
        ]
        return pd.concat(parts, ignore_index=True)


RUN = ["seed", "rl_arm", "sft_arm", "from_step"]
"""Columns that tell runs of RL apart."""

FRAMES = tuple(field.name for field in fields(StudyTables) if field.name != "rl_arms")
STUDY_INPUTS = {
    **{name: f"{name}@all" for name in FRAMES},
    "seeds": "params:seeds",
    **{name: f"params:{name}" for name in ARMS.values()},
}
"""Inputs of a node that reads all of the study's tables."""

FINDINGS = ("models@table", "estimates@table", "rl_runs@table")
"""Outputs of ``estimate_study``."""

STUDY_PARAMETERS = (
    "game", "base_model", "sft", "sft_arms", "scoring", "selection", "rl", "rl_arms", "spectra", "edit_arms",
    "findings",
)  # fmt: skip
"""The blocks of parameters that a study is made with."""


def read_study(seeds: Sequence[int], inputs: Mapping[str, Any]) -> StudyTables:
    """Read the tables of every seed and arm.

    Args:
        seeds: The study's seeds.
        inputs: The other inputs of ``STUDY_INPUTS``.
    """
    blocks = {column: to_plain(inputs[name]) for column, name in ARMS.items()}
    lists = {"seed": list(seeds), **{column: list(named) for column, named in blocks.items()}}
    frames = {name: inputs[name].read(**lists) for name in FRAMES}
    for column in ("rl_arm", "edit_arm"):
        sft_arms = {name: block["sft_arm"] for name, block in blocks[column].items()}
        with_it = {name: frame for name, frame in frames.items() if column in frame}
        frames |= {name: frame.assign(sft_arm=frame[column].map(sft_arms)) for name, frame in with_it.items()}
    frames["selected_checkpoints"] = drop_other_names(frames["selected_checkpoints"], frames["sft_hand_scores"])
    return StudyTables(**frames, rl_arms=blocks["rl_arm"])
