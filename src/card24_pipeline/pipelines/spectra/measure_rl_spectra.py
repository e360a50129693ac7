"""Measure how singular values and vectors moved by reinforcement learning, and whether they moved back."""

import time
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.pipelines.spectra.folders import BASE, list_steps
from card24_pipeline.pipelines.spectra.params import SpectraParams


def measure_rl_spectra(
    base_model: Path,
    sft_checkpoints: Path,
    rl_checkpoints: Path,
    selected_checkpoints: pd.DataFrame,
    params: SpectraParams,
    rl_arm: str,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Measure every matrix before and after each run of an arm of RL, beside the base and MaxOOD.

    Returns:
        Rows by index band and by index (see ``spectral.movement``; every index for the run from End only); rows that
        tell whether RL moved the weights back toward the base or MaxOOD; and the timings.
    """
    from card24_pipeline.evaluation.spectra import Change, measure_spectra_of
    from card24_pipeline.spectral.movement import SpectraSettings

    started = time.perf_counter()
    steps = {str(role): int(step) for role, step in selected_checkpoints.set_index("role")["step"].items()}
    sft, rl = list_steps(sft_checkpoints, "step"), list_steps(rl_checkpoints, "from_step")
    max_ood = f"sft {steps['max_ood']}"
    references, fraction = (BASE, max_ood), params.return_fraction
    changes = [
        Change("sft_to_rl", step, f"sft {step}", f"{rl_arm} {step}", step == steps["end"], references, fraction)
        for step in rl
    ]
    folders = {BASE: base_model} | {f"sft {step}": sft[step] for step in (steps["max_ood"], *rl)}
    folders |= {f"{rl_arm} {step}": folder for step, folder in rl.items()}
    settings = SpectraSettings(params.fractions, params.null_draws, params.null_seed)
    bands, indices, returns = measure_spectra_of(folders, changes, settings)
    names = {"step": "from_step", "norm_squared": "rl_norm_squared"}
    returns = returns.drop(columns="pair").rename(columns=names)
    returns["reference"] = returns["reference"].map({max_ood: "max_ood", BASE: BASE})
    return bands, indices, returns, {"wall_seconds": time.perf_counter() - started}
