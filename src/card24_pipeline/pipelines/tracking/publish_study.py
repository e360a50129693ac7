"""Publish the study to MLflow, from what the other stages left."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click
import pandas as pd

from card24_pipeline.catalog.per_seed import SeedFrames
from card24_pipeline.tracking.children import ANCHORED, PLAIN, StudyTables
from card24_pipeline.tracking.errors import PublishingError
from card24_pipeline.tracking.provenance import describe_provenance
from card24_pipeline.tracking.publishing import publish_study_record
from card24_pipeline.tracking.store import TrackingStore
from card24_pipeline.tracking.study import digest_artifacts, put_study_together

logger = logging.getLogger(__name__)


def publish_study(
    store: TrackingStore,
    base_scores: pd.DataFrame,
    sft_scores: SeedFrames,
    sft_history: SeedFrames,
    selected_checkpoints: SeedFrames,
    rl_scores: SeedFrames,
    rl_history: SeedFrames,
    rl_anchored_scores: SeedFrames,
    rl_anchored_history: SeedFrames,
    spectra_bands: SeedFrames,
    recovery_variants: SeedFrames,
    recovery_scores: SeedFrames,
    seeds: list[int],
    **settings_and_files: Any,
) -> dict[str, Any]:
    """Publish a parent run for the study and a child run for each of its models, where they are not there yet.

    ``settings_and_files`` are the blocks of parameters that the study was made with, and the paths of the files that
    the parent keeps copies of; those that do not exist are left out.

    Returns:
        What was published, whatever the store: the study's digest, those of all it is made of, and the number of runs.

    Raises:
        ClickException: If the store cannot be used, or a file is not what it should be. Nothing is returned then, so
            that the stage is not done.
    """
    files = [value for value in settings_and_files.values() if isinstance(value, Path)]
    settings = {name: value for name, value in settings_and_files.items() if not isinstance(value, Path)}
    tables = StudyTables(
        base_scores=base_scores,
        sft_scores=sft_scores.read(seeds),
        sft_history=sft_history.read(seeds),
        selected_checkpoints=selected_checkpoints.read(seeds),
        rl_scores={PLAIN: rl_scores.read(seeds), ANCHORED: rl_anchored_scores.read(seeds)},
        rl_history={PLAIN: rl_history.read(seeds), ANCHORED: rl_anchored_history.read(seeds)},
        spectra=spectra_bands.read(seeds),
        recovery_variants=recovery_variants.read(seeds),
        recovery_scores=recovery_scores.read(seeds),
    )
    artifacts = digest_artifacts(tables, settings, files)
    try:
        study = put_study_together(
            tables,
            settings,
            files,
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
