"""Report what fine-tuning and reinforcement learning did to singular values and directions."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.catalog.per_seed import SeedFrames
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.reporting.spectra_contrasts import SpectraContrastBuilder
from card24_pipeline.reporting.spectra_figures import draw_depth, draw_rotation, draw_sigma_shift
from card24_pipeline.reporting.spectra_page import write_spectra_report
from card24_pipeline.reporting.spectra_summary import find_fraction, summarise_spectra


def report_spectra(
    spectra: SeedFrames,
    spectra_by_index: SeedFrames,
    rl_return: SeedFrames,
    selected_checkpoints: SeedFrames,
    seeds: list[int],
    params: ReportParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Any, Any, Any, str]:
    """Bring the seeds together into averages, contrasts with null models, three figures and a page.

    Returns:
        The averages over matrices, the contrasts, RL's way back, the Matplotlib figures of rotation, of the shift of
        singular values and of depth, and the page. (Kedro reads these type hints at run time, so none may need a
        heavy import.)
    """
    builder = SpectraContrastBuilder(
        resamples=params.resamples, confidence=params.confidence, seed=params.bootstrap_seed
    )
    bands, indices = spectra.read(seeds), spectra_by_index.read(seeds)
    selected = selected_checkpoints.read(seeds)
    fraction = find_fraction(bands)
    summary = summarise_spectra(bands, selected)
    contrasts = builder.contrast_changes(bands, indices, selected, fraction=fraction)
    returned = builder.contrast_return(rl_return.read(seeds), selected)
    rotation = draw_rotation(indices, selected)
    sigma = draw_sigma_shift(bands, indices, selected)
    depth = draw_depth(bands, selected, fraction=fraction)
    page = write_spectra_report(summary, contrasts, returned, fraction=fraction, confidence=params.confidence)
    return summary, contrasts, returned, rotation, sigma, depth, page
