"""What moved between any two checkpoints, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from card24_pipeline.checkpoints.hub import resolve_checkpoint
from card24_pipeline.checkpoints.opening import open_checkpoint
from card24_pipeline.checkpoints.publishing import check_vacant
from card24_pipeline.evaluation.spectra import Change, NullModels, measure_spectra_of

MEASURED = ["relative_sigma_shift", "left_angle_degrees", "right_angle_degrees", "energy_inside"]


def measure_pair(
    donor: Path | str, target: Path | str, folder: Path, fractions: Sequence[float], *, null_draws: int, seed: int
) -> pd.DataFrame:
    """Measure every matrix between donor and target and write the rows by band and by index into a new folder.

    Args:
        donor: Checkpoint folder, LoRA adapter folder or ``hub:organisation/name[@revision]``.
        target: The same.
        folder: Where ``spectra.csv`` and ``spectra_by_index.parquet`` are to lie.
        fractions: Sizes of the bands, as fractions of the number of singular values.
        null_draws: Draws of each null model.
        seed: Seed of the draws.

    Returns:
        Means over matrices by band, fraction and model.

    Raises:
        CheckpointError: If a checkpoint cannot be read, the two are not the same model, or the folder is taken.
    """
    folders = {"donor": resolve_checkpoint(donor), "target": resolve_checkpoint(target)}
    check_vacant(folder)
    change = Change("donor_to_target", 0, "donor", "target", by_index=True)
    spectra = measure_spectra_of(folders, [change], fractions, NullModels(null_draws, seed), open_at=open_checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    spectra.bands.to_csv(folder / "spectra.csv", index=False, float_format="%.6g")
    spectra.indices.to_parquet(folder / "spectra_by_index.parquet", index=False)
    return spectra.bands.groupby(["band", "fraction", "model"])[MEASURED].mean()
