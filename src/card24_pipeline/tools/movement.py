"""What lies between donor and target in one matrix, and how far an edit went, for the report of a recovery."""

from __future__ import annotations

import math
from statistics import mean
from typing import TYPE_CHECKING, Any

from card24_pipeline.edits.applying import Workbench
from card24_pipeline.edits.edit import Edit
from card24_pipeline.spectral.movement import OBSERVED, MatrixHistory, measure_change

if TYPE_CHECKING:
    import torch

USUAL_FRACTION = 0.2  # of the directions, where the edit itself does not name some of them


def describe_movement(bench: Workbench, edited: torch.Tensor, edit: Edit, null_draws: int) -> dict[str, Any]:
    """Describe one edited matrix.

    Returns:
        ``tensor``; the median relative shift of singular values from donor to target; the mean principal angles, left
        and right, of the top directions (as many as the edit restores, or a fifth) in degrees, as measured and for
        each null model; ‖ΔW‖/‖W‖ from donor to target; and ‖W' − W‖/‖W‖ of the edit. At least one direction is
        taken, however small the matrix. None stands for what is not defined, as for a matrix of zeros.
    """
    fraction = edit.knob if edit.knob is not None and 0 < edit.knob < 1 else USUAL_FRACTION
    fraction = max(fraction, 1 / min(bench.weight.shape))
    history = MatrixHistory(
        bench.name,
        {"donor": bench.donor_weight(edit.donor), "target": bench.weight},
        {"donor": bench.donor_factors(edit.donor), "target": bench.target_factors},
    )
    rows, _ = measure_change(history, "donor", "target", fractions=(fraction,), null_draws=null_draws, seed=edit.seed)
    weight = bench.weight.float()
    whole = next(row for row in rows if row["model"] == OBSERVED and row["band"] == "all")
    found: dict[str, Any] = {
        "tensor": bench.name,
        "relative_sigma_shift": whole["relative_sigma_shift"],
        "norm_ratio": whole["norm_ratio"],
        "edit_norm_ratio": float((edited.float() - weight).norm() / weight.norm()),
    }
    for side in ("left", "right"):
        key = f"{side}_angle_degrees"
        for model in dict.fromkeys(row["model"] for row in rows):
            found[f"{model}_{key}"] = mean(row[key] for row in rows if row["model"] == model and row["band"] == "top")
    return {key: value if isinstance(value, str) or math.isfinite(value) else None for key, value in found.items()}
