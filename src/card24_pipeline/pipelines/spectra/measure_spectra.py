"""Measure how singular values and vectors moved, from the base through fine-tuning to reinforcement learning."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.pipelines.spectra.params import SpectraParams
from card24_pipeline.weights.measuring import Return, measure_spectra_of
from card24_pipeline.weights.spectra import Change, SpectraSettings

BASE = "base"
ARMS = {"plain": "sft_to_rl", "anchored": "sft_to_rl_anchored"}


def measure_spectra(
    base_model: Path,
    sft_checkpoints: Path,
    rl_checkpoints: Path,
    rl_anchored_checkpoints: Path,
    selected_checkpoints: pd.DataFrame,
    params: SpectraParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Measure every matrix between base and SFT checkpoints, MaxOOD and End, and before and after RL.

    Returns:
        Rows by index band and by index (see ``weights.spectra``); rows that tell whether RL moved the weights back
        toward the base or MaxOOD; and the timings.
    """
    started = time.perf_counter()
    steps = {str(role): int(step) for role, step in selected_checkpoints.set_index("role")["step"].items()}
    sft = _list_folders(sft_checkpoints, "step")
    arms = {
        "plain": _list_folders(rl_checkpoints, "from_step"),
        "anchored": _list_folders(rl_anchored_checkpoints, "from_step"),
    }
    folders = {BASE: base_model, **{_name("sft", step): folder for step, folder in sft.items()}}
    for arm, runs in arms.items():
        folders |= {_name(arm, step): folder for step, folder in runs.items()}
    spectra = measure_spectra_of(
        folders,
        _list_changes(sft, arms, steps),
        SpectraSettings(tuple(params.fractions), params.null_draws, params.null_seed),
        _list_returns(arms, steps, params.return_fraction),
    )
    names = {_name("sft", steps["max_ood"]): "max_ood", BASE: BASE}
    returns = spectra.returns.rename(columns={"norm_squared": "rl_norm_squared"})
    returns["reference"] = returns["reference"].map(names)
    seconds = time.perf_counter() - started
    return spectra.bands, spectra.indices, returns, {"wall_seconds": seconds}


def _name(kind: str, step: int) -> str:
    return f"{kind} {step}"


def _list_folders(parent: Path, prefix: str) -> dict[int, Path]:
    folders = {int(path.name.removeprefix(f"{prefix}_")): path for path in parent.glob(f"{prefix}_*")}
    return dict(sorted(folders.items()))


def _list_changes(sft: dict[int, Path], arms: dict[str, dict[int, Path]], steps: dict[str, int]) -> list[Change]:
    """List the pairs to compare; every index is tabled for the selected checkpoints only."""
    chosen = set(steps.values())
    first, last = (_name("sft", steps[role]) for role in ("max_ood", "end"))
    changes = [Change("base_to_sft", step, BASE, _name("sft", step), by_index=step in chosen) for step in sft]
    if first != last:
        changes.append(Change("max_ood_to_end", steps["end"], first, last, by_index=True))
    return changes + [
        Change(ARMS[arm], step, _name("sft", step), _name(arm, step), by_index=step == steps["end"])
        for arm, runs in arms.items()
        for step in runs
    ]


def _list_returns(arms: dict[str, dict[int, Path]], steps: dict[str, int], fraction: float) -> list[Return]:
    references = (BASE, _name("sft", steps["max_ood"]))
    return [
        Return({"arm": arm, "from_step": step}, _name("sft", step), _name(arm, step), references, fraction)
        for arm, runs in arms.items()
        for step in runs
    ]
