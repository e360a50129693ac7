"""Scoring every checkpoint of a folder, and how far each has moved from the base."""

import time
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.evaluation.divergence import ForwardDivergence
from card24_pipeline.evaluation.scoring import ScoringParams, score_hands, summarise_scores
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.models.tokenized import tokenize_examples
from card24_pipeline.parameters.prompt import PromptParams


def score_checkpoints(
    checkpoints: Path,
    base_model: Path,
    eval_hands: pd.DataFrame,
    examples: pd.DataFrame,
    prompt: PromptParams,
    scoring: ScoringParams,
    device: str,
    *,
    column: str,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Score each checkpoint ``<column>_<n>`` of a folder on every hand and measure its divergence from the base.

    Args:
        checkpoints: Folder of checkpoint folders.
        base_model: Checkpoint folder of the base, with the same vocabulary.
        examples: Columns ``prompt`` and ``answer`` of the tuned task; the divergence is measured on the first
            ``scoring.divergence_examples``.
        scoring: Generation limits, see :func:`score_hands`, and the level of the intervals.
        column: Name of the column for ``n``, which comes first in both tables.

    Returns:
        The summary (one row per checkpoint, split and whether the base met the multiset, with ``forward_kl_nats``),
        the hands (one row per checkpoint and hand) and the timings.
    """
    base, tokenizer = load_checkpoint(base_model, device)
    prompts, answers = (examples[name].head(scoring.divergence_examples).tolist() for name in ("prompt", "answer"))
    tokenized = tokenize_examples(tokenizer, prompts, answers, max_tokens=base.config.max_position_embeddings)
    divergence = ForwardDivergence(base, tokenized, batch_size=scoring.batch_size)
    started = time.perf_counter()
    summaries: list[pd.DataFrame] = []
    hands: list[pd.DataFrame] = []
    folders = {int(path.name.removeprefix(f"{column}_")): path for path in checkpoints.glob(f"{column}_*")}
    for position, (number, folder) in enumerate(sorted(folders.items()), start=1):
        model, tokenizer = load_checkpoint(folder, device)
        label = f"{column.replace('_', ' ')} {number} ({position}/{len(folders)})"
        scored = score_hands(model, tokenizer, eval_hands, scoring, prompt, label=label)
        summary = summarise_scores(scored, confidence=scoring.confidence)
        summary["forward_kl_nats"] = divergence.measure(model)
        for frames, frame in ((summaries, summary), (hands, scored)):
            frame.insert(0, column, number)
            frames.append(frame)
    seconds = time.perf_counter() - started
    all_hands = pd.concat(hands, ignore_index=True)
    timings = {"wall_seconds": seconds, "hands_per_second": len(all_hands) / seconds}
    return pd.concat(summaries, ignore_index=True), all_hands, timings
