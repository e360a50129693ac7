"""What lies between donor and target in one matrix, and how far an edit went, for the report of a recovery."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from card24_pipeline.weights.editing import Workbench
from card24_pipeline.weights.edits import Edit
from card24_pipeline.weights.spectra import Change, MatrixHistory, SpectraSettings, measure_change

if TYPE_CHECKING:
    import torch

    from card24_pipeline.spectral.decomposition import Factors

USUAL_FRACTION = 0.2  # of the directions, where the edit itself does not name some of them


class _BenchHistory(MatrixHistory):
    """Donor and target of a workbench as a history, so that neither is decomposed twice."""

    def __init__(self, bench: Workbench, donor: str) -> None:
        super().__init__(bench.name, bench.place, {})
        self._bench = bench
        self._donor = donor

    def weight(self, checkpoint: str) -> torch.Tensor:
        bench = self._bench
        return (bench.donor_weight(self._donor) if checkpoint == "donor" else bench.weight).float()

    def factors(self, checkpoint: str) -> Factors:
        bench = self._bench
        return bench.donor_factors(self._donor) if checkpoint == "donor" else bench.target_factors


def describe_movement(
    bench: Workbench, donor: str, edited: torch.Tensor, edit: Edit, null_draws: int
) -> dict[str, Any]:
    """Describe one edited matrix.

    Returns:
        ``tensor``; the median relative shift of singular values from donor to target; the mean principal angles, left
        and right, of the top directions (as many as the edit restores, or a fifth) in degrees, as measured and for
        each null model; ‖ΔW‖/‖W‖ from donor to target; and ‖W' − W‖/‖W‖ of the edit. At least one direction is
        taken, however small the matrix. None stands for what is not defined, as for a matrix of zeros.
    """
    fraction = edit.knob if edit.knob is not None and 0 < edit.knob < 1 else USUAL_FRACTION
    fraction = max(fraction, 1 / min(bench.weight.shape))
    settings = SpectraSettings((fraction,), null_draws, edit.seed)
    rows, _ = measure_change(_BenchHistory(bench, donor), Change("", 0, "donor", "target"), settings)
    weight = bench.weight.float()
    whole = next(row for row in rows if row["model"] == "observed" and row["band"] == "all")
    found: dict[str, Any] = {
        "tensor": bench.name,
        "relative_sigma_shift": whole["relative_sigma_shift"],
        "norm_ratio": whole["norm_ratio"],
        "edit_norm_ratio": float((edited.float() - weight).norm() / weight.norm()),
    }
    for side in ("left", "right"):
        key = f"{side}_angle_degrees"
        for model in dict.fromkeys(row["model"] for row in rows):
            angles = [row[key] for row in rows if row["model"] == model and row["band"] == "top"]
            found[f"{model}_{key}"] = sum(angles) / len(angles)
    return {key: value if isinstance(value, str) or math.isfinite(value) else None for key, value in found.items()}
