"""Scoring every checkpoint of a folder, and how far each has moved from the base."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.evaluation.divergence import mean_forward_kl
from card24_pipeline.evaluation.scoring import score_hands, summarise_scores
from card24_pipeline.evaluation.settings import ScoringSettings
from card24_pipeline.game.prompts import AnswerStyle, PromptLayout
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.models.tokenized import tokenize_examples


def score_checkpoints(
    checkpoints: Path,
    base_model: Path,
    eval_hands: pd.DataFrame,
    examples: pd.DataFrame,
    settings: ScoringSettings,
    *,
    layout: PromptLayout,
    style: AnswerStyle,
    column: str,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score each checkpoint ``<column>_<n>`` of a folder on every hand and measure its divergence from the base.

    Args:
        checkpoints: Folder of checkpoint folders.
        base_model: Checkpoint folder of the base, with the same vocabulary.
        eval_hands: See :func:`score_hands`.
        examples: Columns ``prompt`` and ``answer`` of the tuned task; the divergence is measured on the first
            ``settings.divergence_examples``.
        settings: Generation limits and the level of the intervals.
        layout: Prompt layout that the prompts were rendered in.
        style: Answer style that the prompts ask for.
        column: Name of the column for ``n``, which comes first in both tables.

    Returns:
        The summary (one row per checkpoint, split and acquaintance of the base, with ``forward_kl_nats``), the hands
        (one row per checkpoint and hand) and the timings.
    """
    base, tokenizer = load_checkpoint(base_model)
    tuned_task = examples.head(settings.divergence_examples)
    tokenized = tokenize_examples(
        tokenizer,
        tuned_task["prompt"].tolist(),
        tuned_task["answer"].tolist(),
        max_tokens=base.config.max_position_embeddings,
    )
    started = time.perf_counter()
    summaries, hands = [], []
    folders = {int(path.name.removeprefix(f"{column}_")): path for path in checkpoints.glob(f"{column}_*")}
    for position, (number, folder) in enumerate(sorted(folders.items()), start=1):
        model, tokenizer = load_checkpoint(folder)
        label = f"{column.replace('_', ' ')} {number} ({position}/{len(folders)})"
        scored = score_hands(model, tokenizer, eval_hands, settings, layout=layout, style=style, label=label)
        divergence = mean_forward_kl(base, model, tokenized, batch_size=settings.batch_size)
        summary = summarise_scores(scored, confidence=settings.confidence).assign(forward_kl_nats=divergence)
        summaries.append(_put_first(summary, column, number))
        hands.append(_put_first(scored, column, number))
    seconds = time.perf_counter() - started
    all_hands = pd.concat(hands, ignore_index=True)
    timings = {"wall_seconds": seconds, "hands_per_second": len(all_hands) / seconds}
    return pd.concat(summaries, ignore_index=True), all_hands, timings


def _put_first(frame: pd.DataFrame, column: str, number: int) -> pd.DataFrame:
    """Return the frame with a leading column of one number."""
    named = frame.copy()
    named.insert(0, column, number)
    return named
