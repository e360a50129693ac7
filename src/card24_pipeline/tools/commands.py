"""What the tools do with their settings, shown to the command line: recover a checkpoint, measure what moved."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from card24_pipeline.checkpoints.publishing import check_vacant
from card24_pipeline.tools.params import ToolParams

logger = logging.getLogger(__name__)

MEASURED = ["relative_sigma_shift", "left_angle_degrees", "right_angle_degrees", "energy_inside"]


@contextmanager
def shown_in_a_line() -> Iterator[None]:
    """Turn errors about the user's folders and settings into what the command line shows without a traceback."""
    try:
        yield
    except ValueError as error:  # of which CheckpointError is one
        raise click.ClickException(str(error)) from error


@shown_in_a_line()
def recover(parameters: dict[str, Any]) -> dict[str, Any]:
    """Edit ``target`` toward ``donor`` as the parameters say, choosing the knob by the probe where there is one.

    Returns:
        The report, which also lies in the folder written.
    """
    from card24_pipeline.tools.recover import recover_checkpoint

    params = ToolParams.pick(parameters)
    donor, target = params.require_pair()
    edit = params.make_edit()
    folder = params.name_output(params.method)
    scores: dict[str, float] = {}
    if params.probe:
        if edit.knob is None:
            raise ValueError(f"probe: {params.method} has no knob to choose")
        from card24_pipeline.tools.probe import ProbeSettings, choose_knob, read_questions

        questions = read_questions(Path(params.probe))
        check_vacant(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        settings = ProbeSettings(params.probe_match, params.probe_max_new_tokens, params.probe_batch_size)
        edit, scores = choose_knob(donor, target, edit, params.probe_knobs, questions, settings, scratch=folder.parent)
    report = recover_checkpoint(donor, target, folder, edit, form=params.output, null_draws=params.null_draws)
    report |= {"folder": str(folder), "probe": scores}
    logger.info("%s of %d tensors changed by %s", report["tensors_touched"], report["tensors"], report["edit"])
    for name, value in report["medians"].items():
        logger.info("  median %s: %.4g", name.replace("_", " "), value)
    logger.info("Written to %s in %.1f s", folder, report["seconds"])
    return report


@shown_in_a_line()
def measure(parameters: dict[str, Any]) -> dict[str, Any]:
    """Measure ``donor`` → ``target`` beside both null models and write the rows by band and by index.

    Returns:
        Where the tables lie, and the means of the bands.

    Raises:
        ClickException: If a checkpoint cannot be read, the two are not the same model, or the folder is taken.
    """
    from card24_pipeline.checkpoints.opening import open_checkpoint, resolve_checkpoint
    from card24_pipeline.evaluation.spectra import Change, measure_spectra_of
    from card24_pipeline.spectral.movement import SpectraSettings

    params = ToolParams.pick(parameters)
    folders = dict(zip(("donor", "target"), map(resolve_checkpoint, params.require_pair()), strict=True))
    folder = params.name_output("spectra")
    check_vacant(folder)
    settings = SpectraSettings(params.spectra_fractions, params.null_draws, params.draw_seed)
    change = Change("donor_to_target", 0, "donor", "target", by_index=True)
    bands, indices, _ = measure_spectra_of(folders, [change], settings, open_at=open_checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    bands.to_csv(folder / "spectra.csv", index=False, float_format="%.6g")
    indices.to_parquet(folder / "spectra_by_index.parquet", index=False)
    means = bands.groupby(["band", "fraction", "model"])[MEASURED].mean()
    logger.info("Means over matrices:\n%s", means.to_string(float_format="%.4g"))
    logger.info("Written to %s", folder)
    return {"folder": str(folder), "means": means.reset_index().to_dict("records")}
