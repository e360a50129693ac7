"""Judge the paper's claims on what the study measured."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.findings.gathering import open_findings
from card24_pipeline.findings.judge import judge_statements, summarise_study
from card24_pipeline.findings.params import FindingsParams
from card24_pipeline.findings.statements import list_statements
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.study.vocabulary import CLAIMS, ID_HELDOUT, ID_SEEN


def judge_claims(
    published_results: pd.DataFrame,
    models: pd.DataFrame,
    estimates: pd.DataFrame,
    runs: pd.DataFrame,
    seeds: list[int],
    rules: RulesParams,
    params: FindingsParams,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Judge every statement.

    Returns:
        The verdicts, and the headline figures.
    """
    findings = open_findings(models, estimates, runs, ood=next(iter(rules.ood)), params=params)
    needed = params.replicates_for_verdicts
    statements = judge_statements(list_statements(findings.arm_pairs), findings, published_results, replicates=needed)
    claims = {
        "confidence": params.confidence,
        "resamples": params.resamples,
        "replicates_for_verdicts": needed,
        "seeds": seeds,
        "conditional": findings.conditional,
        "titles": {str(number): title for number, title in CLAIMS.items()},
        "statements": statements,
    }
    return claims, summarise_study(statements, findings, (*rules.ood, ID_SEEN, ID_HELDOUT))
