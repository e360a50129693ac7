"""Recover a checkpoint that the study did not make."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from card24_pipeline.pipelines.checkpoint_tools import CheckpointToolParams, shown_in_a_line
from card24_pipeline.weights.edits import Edit

logger = logging.getLogger(__name__)


@shown_in_a_line()
def recover(parameters: dict[str, Any]) -> dict[str, Any]:
    """Edit ``target`` toward ``donor`` as the parameters say, choosing the knob by the probe where there is one.

    Returns:
        The report, which also lies in the folder written.
    """
    from card24_pipeline.weights.recover import recover_checkpoint

    params = CheckpointToolParams.pick(parameters)
    donor, target = params.require_pair()
    edit = params.make_edit()
    folder = params.name_output(params.method)
    scores: dict[str, float] = {}
    if params.probe:
        if edit.knob is None:
            raise ValueError(f"probe: {params.method} has no knob to choose")
        edit, scores = _choose(params, edit)
    report = recover_checkpoint(donor, target, folder, edit, form=params.output, null_draws=params.null_draws)
    report |= {"folder": str(folder), "probe": scores}
    logger.info("%s of %d tensors changed by %s", report["tensors_touched"], report["tensors"], report["edit"])
    for name, value in report["medians"].items():
        logger.info("  median %s: %.4g", name.replace("_", " "), value)
    logger.info("Written to %s in %.1f s", folder, report["seconds"])
    return report


def _choose(params: CheckpointToolParams, edit: Edit) -> tuple[Edit, dict[str, float]]:
    """Choose the edit's knob by the probe."""
    from card24_pipeline.checkpoints.staging import check_vacant
    from card24_pipeline.weights.probe import ProbeSettings, choose_knob, read_questions

    donor, target = params.require_pair()
    questions = read_questions(Path(str(params.probe)))
    folder = params.name_output(params.method)
    check_vacant(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    settings = ProbeSettings(params.probe_match, params.probe_max_new_tokens, params.probe_batch_size)
    return choose_knob(donor, target, edit, params.probe_knobs, questions, settings, scratch=folder.parent)
