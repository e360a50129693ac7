"""Score every checkpoint of an arm of reinforcement learning."""

from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.evaluation.checkpoint_scoring import score_checkpoints
from card24_pipeline.evaluation.scoring import ScoringParams
from card24_pipeline.parameters.prompt import PromptParams


def score_rl(
    rl_checkpoints: Path,
    base_model: Path,
    eval_hands: pd.DataFrame,
    sft_examples: pd.DataFrame,
    prompt: PromptParams,
    scoring: ScoringParams,
    device: str,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score each checkpoint, see :func:`score_checkpoints`; ``from_step`` is the SFT step that a run started from."""
    return score_checkpoints(
        rl_checkpoints, base_model, eval_hands, sft_examples, prompt, scoring, device, column="from_step"
    )
