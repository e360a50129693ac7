"""Score the base model, as step 0 of every fine-tuning run."""

import time
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.evaluation.scoring import ScoringParams, score_hands, summarise_scores
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.parameters.prompt import PromptParams


def score_base_model(
    base_model: Path, eval_hands: pd.DataFrame, prompt: PromptParams, scoring: ScoringParams, device: str
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score the base: the summary (see :func:`summarise_scores`), the hands (one row each) and the timings."""
    model, tokenizer = load_checkpoint(base_model, device)
    started = time.perf_counter()
    hands = score_hands(model, tokenizer, eval_hands, scoring, prompt, label="base")
    seconds = time.perf_counter() - started
    timings = {"wall_seconds": seconds, "hands_per_second": len(hands) / seconds}
    return summarise_scores(hands, confidence=scoring.confidence), hands, timings
