"""Write the reports and the cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.findings.gathering import open_findings
from card24_pipeline.findings.params import FindingsParams
from card24_pipeline.page.reports import write_claims, write_data_card, write_finding, write_model_card
from card24_pipeline.page.reports import write_reports as write
from card24_pipeline.parameters.plain import to_plain
from card24_pipeline.parameters.rules import RulesParams


def write_reports(
    claims: dict[str, Any],
    models: pd.DataFrame,
    estimates: pd.DataFrame,
    runs: pd.DataFrame,
    multisets: pd.DataFrame,
    eval_hands: pd.DataFrame,
    sft_examples: pd.DataFrame,
    rl_hands: pd.DataFrame,
    base_model: Any,
    rules: RulesParams,
    params: FindingsParams,
    selection_split: str,
    claims_file: Path,
) -> tuple[str, ...]:
    """Write the reports on SFT, RL, weights and edits, the verdicts, the finding, the model card and the data card.

    Returns:
        Markdown, in that order.
    """
    findings = open_findings(models, estimates, runs, ood=next(iter(rules.ood)), params=params)
    source, engineering = to_plain(base_model), params.engineering_only
    examples = {
        "pre-training examples (of each base from scratch)": source["mixture"]["examples"],
        "SFT examples": len(sft_examples),
        "RL hands": len(rl_hands),
    }
    return (
        *write(
            findings,
            engineering=engineering,
            trained_here=source["source"]["kind"] == "from_scratch",
            selection_split=selection_split,
        ).values(),
        write_claims(claims, engineering=engineering),
        write_finding(
            findings,
            scale=claims_file.parent.name,
            engineering=engineering,
            needed=params.replicates_for_verdicts,
        ),
        write_model_card(findings, source, engineering=engineering),
        write_data_card(eval_hands, multisets, examples),
    )
