"""Measure how singular values and vectors moved from the base through fine-tuning."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.evaluation.spectra import Change, NullModels, measure_spectra_of
from card24_pipeline.pipelines.spectra.folders import BASE, list_steps, name_checkpoint
from card24_pipeline.pipelines.spectra.params import SpectraParams


def measure_sft_spectra(
    base_model: Path, sft_checkpoints: Path, selected_checkpoints: pd.DataFrame, params: SpectraParams
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Measure every matrix between the base and each SFT checkpoint, and between MaxOOD and End.

    Returns:
        Rows by index band and by index (see ``spectral.movement``; every index for the selected checkpoints only), and
        the timings.
    """
    started = time.perf_counter()
    steps = {str(role): int(step) for role, step in selected_checkpoints.set_index("role")["step"].items()}
    sft = {step: (name_checkpoint("sft", step), folder) for step, folder in list_steps(sft_checkpoints, "step").items()}
    changes = [
        Change("base_to_sft", step, BASE, name, by_index=step in steps.values()) for step, (name, _) in sft.items()
    ]
    max_ood, end = steps["max_ood"], steps["end"]
    if max_ood != end:
        changes.append(Change("max_ood_to_end", end, sft[max_ood][0], sft[end][0], by_index=True))
    nulls = NullModels(params.null_draws, params.null_seed)
    spectra = measure_spectra_of({BASE: base_model, **dict(sft.values())}, changes, params.fractions, nulls)
    return spectra.bands, spectra.indices, {"wall_seconds": time.perf_counter() - started}
