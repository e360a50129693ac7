"""Score the base model, as step 0 of every fine-tuning run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.evaluation.scoring import score_hands, summarise_scores
from card24_pipeline.evaluation.settings import ScoringSettings
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.parameters.prompt import PromptParams


def score_base_model(
    base_model: Path, eval_hands: pd.DataFrame, prompt: PromptParams, settings: ScoringSettings
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score the base on every evaluation hand.

    Returns:
        The summary (one row per split and acquaintance of the base), the hands (one row each) and the timings.
    """
    model, tokenizer = load_checkpoint(base_model)
    started = time.perf_counter()
    hands = score_hands(model, tokenizer, eval_hands, settings, layout=prompt.layout, style=prompt.style, label="base")
    seconds = time.perf_counter() - started
    timings = {"wall_seconds": seconds, "hands_per_second": len(hands) / seconds}
    return summarise_scores(hands, confidence=settings.confidence), hands, timings
