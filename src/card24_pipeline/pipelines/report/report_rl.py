"""Report what reinforcement learning changed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.catalog.per_seed import SeedFrames
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.reporting.rl_contrasts import ANCHORED, PLAIN, RlContrastBuilder
from card24_pipeline.reporting.rl_figures import draw_rl_gains, draw_rl_training
from card24_pipeline.reporting.rl_page import write_rl_report
from card24_pipeline.reporting.rl_runs import average_passes, summarise_runs
from card24_pipeline.reporting.rl_verdicts import name_anchor


def report_rl(
    sft_hand_scores: SeedFrames,
    selected_checkpoints: SeedFrames,
    rl_scores: SeedFrames,
    rl_hand_scores: SeedFrames,
    rl_history: SeedFrames,
    rl_anchored_scores: SeedFrames,
    rl_anchored_hand_scores: SeedFrames,
    rl_anchored_history: SeedFrames,
    seeds: list[int],
    anchor: str,
    params: ReportParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Any, Any, str]:
    """Bring the seeds of both arms together into paired contrasts, a table of runs, two figures and a page.

    ``anchor`` is what the anchored arm is held to, by its name in the parameters.

    Returns:
        The contrasts, the runs, the Matplotlib figures of what RL gained and of its training, and the page. (Kedro
        reads these type hints at run time, so none may need a heavy import.)
    """
    builder = RlContrastBuilder(resamples=params.resamples, confidence=params.confidence, seed=params.bootstrap_seed)
    sft_hands = sft_hand_scores.read(seeds)
    selected = selected_checkpoints.read(seeds)
    scores = {PLAIN: rl_scores.read(seeds), ANCHORED: rl_anchored_scores.read(seeds)}
    hands = {PLAIN: rl_hand_scores.read(seeds), ANCHORED: rl_anchored_hand_scores.read(seeds)}
    history = {PLAIN: rl_history.read(seeds), ANCHORED: rl_anchored_history.read(seeds)}
    contrasts = builder.contrast_models(sft_hands, selected, hands)
    runs = summarise_runs(selected, sft_hands, scores, history)
    curve, traced = average_passes(sft_hands, "step"), builder.trace_gains(sft_hands, hands)
    gains = draw_rl_gains(curve, traced, runs, anchor=name_anchor(anchor))
    training = draw_rl_training(history, selected, anchor=name_anchor(anchor))
    page = write_rl_report(contrasts, runs, confidence=params.confidence, anchor=anchor)
    return contrasts, runs, gains, training, page
