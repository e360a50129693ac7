"""Report what edits of weights recover."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.catalog.per_seed import SeedFrames
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.reporting.recovery_choices import choose_knobs
from card24_pipeline.reporting.recovery_figures import draw_recovery_by_k, draw_recovery_controls
from card24_pipeline.reporting.recovery_models import lay_out_recovery, list_models
from card24_pipeline.reporting.recovery_page import write_recovery_report
from card24_pipeline.reporting.recovery_points import RecoveryBuilder
from card24_pipeline.reporting.recovery_tradeoffs import draw_recovery_cost, draw_recovery_frontier
from card24_pipeline.reporting.rl_contrasts import ANCHORED, PLAIN


def report_recovery(
    base_hand_scores: pd.DataFrame,
    sft_hand_scores: SeedFrames,
    selected_checkpoints: SeedFrames,
    rl_hand_scores: SeedFrames,
    rl_history: SeedFrames,
    rl_anchored_hand_scores: SeedFrames,
    rl_anchored_history: SeedFrames,
    recovery_variants: SeedFrames,
    recovery_hand_scores: SeedFrames,
    seeds: list[int],
    params: ReportParams,
) -> tuple[pd.DataFrame, pd.DataFrame, Any, Any, Any, Any, str]:
    """Bring the edits of all seeds together into points, the choice of each family, four figures and a page.

    Returns:
        The points, the choices, the Matplotlib figures by knob, of the families, of OOD against ID and of OOD against
        cost, and the page. (Kedro reads these type hints at run time, so none may need a heavy import.)
    """
    builder = RecoveryBuilder(resamples=params.resamples, confidence=params.confidence, seed=params.bootstrap_seed)
    selected = selected_checkpoints.read(seeds)
    hands = {PLAIN: rl_hand_scores.read(seeds), ANCHORED: rl_anchored_hand_scores.read(seeds)}
    history = {PLAIN: rl_history.read(seeds), ANCHORED: rl_anchored_history.read(seeds)}
    models = lay_out_recovery(
        base_hand_scores, sft_hand_scores.read(seeds), selected, hands, recovery_hand_scores.read(seeds)
    )
    points = builder.trace_points(models, list_models(recovery_variants.read(seeds), models, selected, history))
    chosen = builder.measure_leads(models, choose_knobs(points))
    by_k, controls = draw_recovery_by_k(points), draw_recovery_controls(points, chosen)
    frontier, cost = draw_recovery_frontier(points), draw_recovery_cost(points, chosen)
    page = write_recovery_report(points, chosen, confidence=params.confidence)
    return points, chosen, by_k, controls, frontier, cost, page
