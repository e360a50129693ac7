"""Measure what moved between two checkpoints that the study did not make."""

from __future__ import annotations

import logging
from typing import Any

from card24_pipeline.pipelines.checkpoint_tools import CheckpointToolParams, shown_in_a_line

logger = logging.getLogger(__name__)


@shown_in_a_line()
def measure(parameters: dict[str, Any]) -> dict[str, Any]:
    """Measure ``donor`` → ``target`` beside both null models and write the rows by band and by index.

    Returns:
        Where the tables lie, and the means of the bands.

    Raises:
        ClickException: If a checkpoint cannot be read, the two are not the same model, or the folder is taken.
    """
    from card24_pipeline.checkpoints.hub import resolve_checkpoint
    from card24_pipeline.checkpoints.staging import check_vacant
    from card24_pipeline.weights.measuring import measure_spectra_of
    from card24_pipeline.weights.spectra import Change, SpectraSettings

    params = CheckpointToolParams.pick(parameters)
    donor, target = (resolve_checkpoint(name) for name in params.require_pair())
    folder = params.name_output("spectra")
    check_vacant(folder)
    settings = SpectraSettings(tuple(params.spectra_fractions), params.null_draws, params.draw_seed)
    change = Change("donor_to_target", 0, "donor", "target", by_index=True)
    spectra = measure_spectra_of({"donor": donor, "target": target}, [change], settings)
    folder.mkdir(parents=True, exist_ok=True)
    spectra.bands.to_csv(folder / "spectra.csv", index=False, float_format="%.6g")
    spectra.indices.to_parquet(folder / "spectra_by_index.parquet", index=False)
    measured = ["relative_sigma_shift", "left_angle_degrees", "right_angle_degrees", "energy_inside"]
    means = spectra.bands.groupby(["band", "fraction", "model"])[measured].mean()
    logger.info("Means over matrices:\n%s", means.to_string(float_format="%.4g"))
    logger.info("Written to %s", folder)
    return {"folder": str(folder), "means": means.reset_index().to_dict("records")}
