"""Estimate every quantity of the study, once."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.findings.gathering import estimate_study, spread_levels
from card24_pipeline.findings.params import FindingsParams
from card24_pipeline.findings.reading import read_study
from card24_pipeline.findings.resampling import Bootstrap
from card24_pipeline.parameters.rules import RulesParams


def estimate_quantities(
    seeds: list[int], rules: RulesParams, params: FindingsParams, **inputs: Any
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Bring what every replicate and arm measured together.

    Returns:
        The models, the estimates, the RL runs, and pass@1 by SFT step and by model, as plots of DVC want it.
    """
    tables = read_study(seeds, inputs)
    bootstrap = Bootstrap(params.resamples, params.bootstrap_seed, params.confidence)
    ood = next(iter(rules.ood))
    models, estimates, runs = estimate_study(tables, bootstrap, ood, params.compare_arms)
    steps, points = (spread_levels(models, estimates, ood, by_step=by_step) for by_step in (True, False))
    return models, estimates, runs, steps, points
