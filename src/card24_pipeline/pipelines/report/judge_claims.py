"""Judge the paper's claims on what the study measured."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.catalog.per_seed import SeedFrames
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.reporting.claims import CLAIMS, EvidenceBuilder
from card24_pipeline.reporting.claims import judge_claims as judge
from card24_pipeline.reporting.claims_accuracy import AccuracyClaims
from card24_pipeline.reporting.claims_recovery import gather_recovery_claims
from card24_pipeline.reporting.claims_table import summarise_study, write_claims_table
from card24_pipeline.reporting.claims_weights import gather_weight_claims
from card24_pipeline.reporting.published import PublishedResults
from card24_pipeline.reporting.recovery_models import lay_out_recovery
from card24_pipeline.reporting.rl_contrasts import ANCHORED, PLAIN, lay_out_models

# Columns of the points whose empty cells are names and not figures; CSV does not tell the two apart.
NAMES = ("donor", "knob_name", "sigma")


def judge_claims(
    published_results: pd.DataFrame,
    base_hand_scores: pd.DataFrame,
    sft_hand_scores: SeedFrames,
    selected_checkpoints: SeedFrames,
    rl_hand_scores: SeedFrames,
    rl_anchored_hand_scores: SeedFrames,
    rl_runs: pd.DataFrame,
    spectra: SeedFrames,
    spectra_by_index: SeedFrames,
    recovery_hand_scores: SeedFrames,
    recovery_points: pd.DataFrame,
    seeds: list[int],
    params: ReportParams,
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Bring what all seeds measured together into verdicts on the four claims.

    Returns:
        The verdicts, the headline figures, and the verdicts as a Markdown table.
    """
    selected, sft_hands = selected_checkpoints.read(seeds), sft_hand_scores.read(seeds)
    rl_hands = {PLAIN: rl_hand_scores.read(seeds), ANCHORED: rl_anchored_hand_scores.read(seeds)}
    multisets = EvidenceBuilder(params.resamples, params.bootstrap_seed)
    matrices = EvidenceBuilder(params.resamples, params.bootstrap_seed, "matrix")
    recovered = lay_out_recovery(base_hand_scores, sft_hands, selected, rl_hands, recovery_hand_scores.read(seeds))
    evidence = [
        *AccuracyClaims(
            lay_out_models(sft_hands, selected, rl_hands), rl_runs, PublishedResults(published_results), multisets
        ).gather(),
        *gather_weight_claims(spectra.read(seeds), spectra_by_index.read(seeds), selected, matrices),
        *gather_recovery_claims(
            recovered,
            recovery_points.fillna(dict.fromkeys(NAMES, "")),
            rl_runs,
            multisets,
            confidence=params.confidence,
        ),
    ]
    statements = judge(sorted(evidence, key=lambda each: each.statement.claim), confidence=params.confidence)
    claims = {
        "confidence": params.confidence,
        "resamples": params.resamples,
        "seeds": sorted(selected["seed"].unique().tolist()),
        "titles": {str(number): title for number, title in CLAIMS.items()},
        "statements": statements,
    }
    return claims, summarise_study(statements, recovery_points), write_claims_table(statements)
