"""Render the page."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import DatasetError

from card24_pipeline.catalog.per_seed import ALL_SEEDS, SEED_FIELD, SeedFrames
from card24_pipeline.parameters.plain import to_plain
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.provenance.files import digest_files
from card24_pipeline.provenance.machine import list_versions, read_processor
from card24_pipeline.reporting.html_hands import pack_hands
from card24_pipeline.reporting.html_page import render_page
from card24_pipeline.reporting.html_sections import StudyTables, build_sections, list_models, list_roles
from card24_pipeline.reporting.rl_contrasts import ANCHORED, PLAIN


def render_study_page(
    page_template: str,
    claims: Path,
    sft_curves: Path,
    recovery_points: Path,
    recovery_chosen: Path,
    base_hand_scores: pd.DataFrame,
    sft_hand_scores: SeedFrames,
    selected_checkpoints: SeedFrames,
    rl_hand_scores: SeedFrames,
    rl_history: SeedFrames,
    rl_anchored_hand_scores: SeedFrames,
    rl_anchored_history: SeedFrames,
    spectra: SeedFrames,
    spectra_by_index: SeedFrames,
    recovery_hand_scores: SeedFrames,
    seeds: list[int],
    report: ReportParams,
    **shown: Any,
) -> str:
    """Bring figures, verdicts and every answer together on one page; what was not run yet is said there.

    ``shown_<name>`` are parameters that the page lists.

    Returns:
        The page, as HTML.
    """
    frames = {
        "sft_hands": sft_hand_scores,
        "selected": selected_checkpoints,
        "rl_hands": rl_hand_scores,
        "rl_history": rl_history,
        "anchored_hands": rl_anchored_hand_scores,
        "anchored_history": rl_anchored_history,
        "spectra": spectra,
        "by_index": spectra_by_index,
        "recovery_hands": recovery_hand_scores,
    }
    parameters = {name.removeprefix("shown_"): to_plain(value) for name, value in shown.items()}
    read = {name: _read_seeds(frame, seeds) for name, frame in frames.items()}
    files = [claims, sft_curves, recovery_points, recovery_chosen]
    curves, points, chosen = (pd.read_csv(path) if path.is_file() else None for path in files[1:])
    study = StudyTables(
        base_hands=base_hand_scores,
        curves=curves,
        points=points,
        chosen=chosen,
        rl_hands={PLAIN: read.pop("rl_hands"), ANCHORED: read.pop("anchored_hands")},
        rl_history={PLAIN: read.pop("rl_history"), ANCHORED: read.pop("anchored_history")},
        **read,
    )
    inputs = [*files, *(path for frame in frames.values() for path in _list_files(frame, seeds))]
    return render_page(
        page_template,
        scale=claims.parent.name,
        claims=json.loads(claims.read_text(encoding="utf-8")) if claims.is_file() else None,
        sections=build_sections(study, report.resamples, report.confidence, report.bootstrap_seed),
        hands=pack_hands(list_models(study), list_roles(study)) if study.sft_hands is not None else "",
        facts={
            "Rendered with": list_versions() | {"processor": read_processor(), "cores": str(os.cpu_count())},
            "Digests of what it was made of (md5)": digest_files(inputs, _find_root(claims)),
        },
        parameters={"seeds": seeds, **parameters},
        model_organism=parameters["base_model"]["source"]["kind"] == "from_scratch",
    )


def _read_seeds(frames: SeedFrames, seeds: list[int]) -> pd.DataFrame | None:
    """Read the tables of all seeds; None while one of them is missing."""
    try:
        return frames.read(seeds)
    except DatasetError:
        return None


def _find_root(claims: Path) -> Path:
    """Return the project's folder, of which the page names no more than what lies below."""
    return claims.parents[3]


def _list_files(frames: SeedFrames, seeds: list[int]) -> list[Path]:
    read = seeds if frames.run_seed == ALL_SEEDS else [frames.run_seed]
    return [Path(frames.filepath.replace(SEED_FIELD, str(seed))) for seed in read]
