"""Score every checkpoint of a fine-tuning run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.evaluation.checkpoint_scoring import score_checkpoints
from card24_pipeline.evaluation.settings import ScoringSettings
from card24_pipeline.parameters.prompt import PromptParams


def score_sft(
    sft_checkpoints: Path,
    base_model: Path,
    eval_hands: pd.DataFrame,
    sft_examples: pd.DataFrame,
    prompt: PromptParams,
    settings: ScoringSettings,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score each checkpoint on every evaluation hand and measure its divergence from the base.

    Returns:
        The summary (one row per step, split and acquaintance of the base, with ``forward_kl_nats``), the hands
        (one row per step and hand) and the timings.
    """
    return score_checkpoints(
        sft_checkpoints,
        base_model,
        eval_hands,
        sft_examples,
        settings,
        layout=prompt.layout,
        style=prompt.style,
        column="step",
    )
