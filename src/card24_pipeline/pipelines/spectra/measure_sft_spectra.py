"""Measure how singular values and vectors moved from the base through fine-tuning."""

import time
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.pipelines.spectra.folders import BASE, list_steps
from card24_pipeline.pipelines.spectra.params import SpectraParams


def measure_sft_spectra(
    base_model: Path, sft_checkpoints: Path, selected_checkpoints: pd.DataFrame, params: SpectraParams
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Measure every matrix between the base and each SFT checkpoint, and between MaxOOD and End.

    Returns:
        Rows by index band and by index (see ``spectral.movement``; every index for the selected checkpoints only), and
        the timings.
    """
    from card24_pipeline.evaluation.spectra import Change, measure_spectra_of
    from card24_pipeline.spectral.movement import SpectraSettings

    started = time.perf_counter()
    steps = {str(role): int(step) for role, step in selected_checkpoints.set_index("role")["step"].items()}
    sft = list_steps(sft_checkpoints, "step")
    changes = [Change("base_to_sft", step, BASE, f"sft {step}", by_index=step in steps.values()) for step in sft]
    max_ood, end = steps["max_ood"], steps["end"]
    if max_ood != end:
        changes.append(Change("max_ood_to_end", end, f"sft {max_ood}", f"sft {end}", by_index=True))
    folders = {BASE: base_model} | {f"sft {step}": folder for step, folder in sft.items()}
    settings = SpectraSettings(params.fractions, params.null_draws, params.null_seed)
    bands, indices, _ = measure_spectra_of(folders, changes, settings)
    return bands, indices, {"wall_seconds": time.perf_counter() - started}
