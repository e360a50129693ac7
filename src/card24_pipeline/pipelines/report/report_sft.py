"""Report what fine-tuning did."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.catalog.per_seed import SeedFrames
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.reporting.curves import CurveBuilder, spread_splits
from card24_pipeline.reporting.figures import draw_sft_curves
from card24_pipeline.reporting.page import write_report


def report_sft(
    base_model_history: pd.DataFrame,
    base_scores: pd.DataFrame,
    base_hand_scores: pd.DataFrame,
    sft_scores: SeedFrames,
    sft_hand_scores: SeedFrames,
    selected_checkpoints: SeedFrames,
    seeds: list[int],
    params: ReportParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, Any, str]:
    """Bring the seeds together into curves, paired contrasts, a figure and a page.

    Returns:
        The scores of every seed with the base as step 0, pooled curves, the same with one column a split, contrasts of
        selected checkpoints, the Matplotlib figure and the page. (Kedro reads these type hints at run time, so none
        may need a heavy import.)
    """
    curve_builder = CurveBuilder(resamples=params.resamples, confidence=params.confidence, seed=params.bootstrap_seed)
    tuned = sft_scores.read(seeds)
    hands = sft_hand_scores.read(seeds)
    selected = selected_checkpoints.read(seeds)
    base = [base_scores.assign(seed=seed, step=0, forward_kl_nats=0.0) for seed in tuned["seed"].unique()]
    scores = pd.concat([*base, tuned], ignore_index=True)
    columns = ["seed", "step", *(name for name in scores.columns if name not in ("seed", "step"))]
    scores = scores[columns].sort_values(["seed", "step", "split", "base_met_multiset"], ignore_index=True)
    curves = curve_builder.trace_accuracy(base_hand_scores, hands)
    contrasts = curve_builder.contrast_selected(base_hand_scores, hands, selected)
    page = write_report(
        curves,
        contrasts,
        scores,
        selected,
        confidence=params.confidence,
        trained_from_scratch=not base_model_history.empty,
    )
    return scores, curves, spread_splits(curves), contrasts, draw_sft_curves(curves, scores), page
