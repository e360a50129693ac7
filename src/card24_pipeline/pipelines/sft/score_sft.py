"""Score every checkpoint of a fine-tuning run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.evaluation.divergence import mean_forward_kl
from card24_pipeline.evaluation.scoring import score_hands, summarise_scores
from card24_pipeline.evaluation.settings import ScoringSettings
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.models.tokenized import tokenize_examples
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
    base, tokenizer = load_checkpoint(base_model)
    tuned_task = sft_examples.head(settings.divergence_examples)
    examples = tokenize_examples(
        tokenizer,
        tuned_task["prompt"].tolist(),
        tuned_task["answer"].tolist(),
        max_tokens=base.config.max_position_embeddings,
    )
    started = time.perf_counter()
    summaries, hands = [], []
    folders = {int(path.name.removeprefix("step_")): path for path in sft_checkpoints.glob("step_*")}
    for position, (step, folder) in enumerate(sorted(folders.items()), start=1):
        model, tokenizer = load_checkpoint(folder)
        label = f"step {step} ({position}/{len(folders)})"
        scored = score_hands(
            model, tokenizer, eval_hands, settings, layout=prompt.layout, style=prompt.style, label=label
        )
        divergence = mean_forward_kl(base, model, examples, batch_size=settings.batch_size)
        summary = summarise_scores(scored, confidence=settings.confidence)
        summaries.append(summary.assign(forward_kl_nats=divergence).pipe(_put_first, step=step))
        hands.append(_put_first(scored, step=step))
    seconds = time.perf_counter() - started
    all_hands = pd.concat(hands, ignore_index=True)
    timings = {"wall_seconds": seconds, "hands_per_second": len(all_hands) / seconds}
    return pd.concat(summaries, ignore_index=True), all_hands, timings


def _put_first(frame: pd.DataFrame, *, step: int) -> pd.DataFrame:
    """Return the frame with a leading column ``step``."""
    named = frame.copy()
    named.insert(0, "step", step)
    return named
