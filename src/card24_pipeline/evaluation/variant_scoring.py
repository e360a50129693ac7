"""Scoring many checkpoints by name: side by side, one to a process, where they compute on the CPU."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pandas as pd

from card24_pipeline.evaluation.processes import map_in_processes
from card24_pipeline.evaluation.scoring import ScoringParams, score_hands, summarise_scores
from card24_pipeline.models.device import find_device
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.parameters.prompt import PromptParams


def score_variants(
    folders: Mapping[str, Path],
    eval_hands: pd.DataFrame,
    scoring: ScoringParams,
    prompt: PromptParams,
    *,
    device: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score checkpoint folders, given by the name of their variant, on every hand; see :func:`score_hands`.

    Returns:
        The summary (one row per variant, split and whether the base met the multiset) and the hands (one row per
        variant and hand), both with a leading column ``variant``.
    """
    score = partial(_score_variant, eval_hands, scoring, prompt, device)
    variants = list(folders.items())
    if find_device(device).type == "cpu":
        scored = map_in_processes(score, variants, description="Scoring", unit="variant")
    else:
        scored = [score(variant) for variant in variants]  # one model fills an accelerator
    summaries, hands = (pd.concat(frames, ignore_index=True) for frames in zip(*scored, strict=True))
    return summaries, hands


def _score_variant(
    eval_hands: pd.DataFrame, scoring: ScoringParams, prompt: PromptParams, device: str, variant: tuple[str, Path]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    name, folder = variant
    model, tokenizer = load_checkpoint(folder, device)
    hands = score_hands(model, tokenizer, eval_hands, scoring, prompt, label=name)
    summary = summarise_scores(hands, confidence=scoring.confidence)
    for frame in (summary, hands):
        frame.insert(0, "variant", name)
    return summary, hands
