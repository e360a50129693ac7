"""Scoring many checkpoints side by side, one to a process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from card24_pipeline.evaluation.processes import map_in_processes
from card24_pipeline.evaluation.scoring import score_hands, summarise_scores
from card24_pipeline.evaluation.settings import ScoringSettings
from card24_pipeline.game.prompts import AnswerStyle, PromptLayout
from card24_pipeline.models.loading import load_checkpoint


def score_variants(
    folders: Mapping[str, Path],
    eval_hands: pd.DataFrame,
    settings: ScoringSettings,
    *,
    layout: PromptLayout,
    style: AnswerStyle,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score checkpoints by name on every hand.

    Args:
        folders: Checkpoint folders by the name of the variant.
        eval_hands: See :func:`score_hands`.
        settings: Generation limits and the level of the intervals.
        layout: Prompt layout that the prompts were rendered in.
        style: Answer style that the prompts ask for.

    Returns:
        The summary (one row per variant, split and acquaintance of the base) and the hands (one row per variant and
        hand), both with a leading column ``variant``.
    """
    score = partial(_score_variant, eval_hands, settings, layout, style)
    scored = map_in_processes(score, list(folders.items()), description="Scoring", unit="variant")
    return tuple(pd.concat(frames, ignore_index=True) for frames in zip(*scored, strict=True))


def _score_variant(
    eval_hands: pd.DataFrame,
    settings: ScoringSettings,
    layout: PromptLayout,
    style: AnswerStyle,
    variant: tuple[str, Path],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score one checkpoint, in a process of its own."""
    name, folder = variant
    model, tokenizer = load_checkpoint(folder)
    hands = score_hands(model, tokenizer, eval_hands, settings, layout=layout, style=style, label=name)
    summary = summarise_scores(hands, confidence=settings.confidence)
    for frame in (summary, hands):
        frame.insert(0, "variant", name)
    return summary, hands
