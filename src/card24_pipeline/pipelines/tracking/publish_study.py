"""Publish the study to MLflow, from what the other stages left."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click
import pandas as pd

from card24_pipeline.study.rows import drop_other_names
from card24_pipeline.study.vocabulary import ARMS
from card24_pipeline.tracking.children import StudyTables
from card24_pipeline.tracking.provenance import describe_provenance
from card24_pipeline.tracking.publishing import publish_study_record
from card24_pipeline.tracking.records import PublishingError
from card24_pipeline.tracking.store import TrackingStore
from card24_pipeline.tracking.study import digest_artifacts, put_study_together

logger = logging.getLogger(__name__)


FRAMES = (
    "base_scores", "sft_scores", "sft_history", "selected_checkpoints", "rl_scores", "rl_history", "edit_variants",
    "edit_scores",
)  # fmt: skip


def publish_study(
    store: TrackingStore,
    estimates: pd.DataFrame,
    metrics: dict[str, Any],
    seeds: list[int],
    **others: Any,
) -> dict[str, Any]:
    """Publish a parent run for the study and a child run for each of its models, where they are not there yet.

    ``others`` are the readers of ``FRAMES``, the blocks of parameters that the study was made with, and the paths of
    the files that the parent keeps copies of; those that do not exist are left out.

    Returns:
        What was published, whatever the store: the study's digest, those of all it is made of, and the number of runs.

    Raises:
        ClickException: If the store cannot be used, or a file is not what it should be. Nothing is returned then, so
            that the stage is not done.
    """
    files = [value for value in others.values() if isinstance(value, Path)]
    settings = {name: value for name, value in others.items() if not isinstance(value, Path) and name not in FRAMES}
    lists = {"seed": seeds, **{key: list(settings[name]) for key, name in ARMS.items()}}
    frames = {name: others[name].read(**lists) for name in FRAMES}
    frames["selected_checkpoints"] = drop_other_names(frames["selected_checkpoints"], frames["sft_scores"])
    named = estimates.fillna(dict.fromkeys(("reference", "split", "change_model"), ""))
    tables = StudyTables(estimates=named, **frames)
    artifacts = digest_artifacts(tables, settings, files)
    try:
        study = put_study_together(
            tables,
            settings,
            files,
            metrics,
            scale=store.scale,
            checkpoints=store.checkpoints,
            artifacts=artifacts,
            provenance=describe_provenance(Path.cwd()),
        )
        written = publish_study_record(study, store)
    except PublishingError as error:
        again = f"kedro run --env={store.scale} --pipelines tracking --params=seed=all"
        raise click.ClickException(f"not published to MLflow: {error} (to try again: {again})") from error
    logger.info("Study %s: %d of %d runs written to %s", study.digest[:12], written, study.runs, store.shown)
    return {"study": study.digest, "artifacts": artifacts, "runs": study.runs}
