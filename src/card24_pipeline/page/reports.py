"""Reports and cards in Markdown: templates hold the prose, tables are read off the findings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from card24_pipeline.findings.accuracy import ID_TOLERANCE, RECOVERED_BOUND
from card24_pipeline.findings.changes import BAND_FRACTION, END_SHARE, GAP_STRATA, SIGMA_BOUND
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.findings.runs import MIN_HANDS_PER_UPDATE, MIN_UPDATES, REWARD_WINDOW
from card24_pipeline.page import tables
from card24_pipeline.study.vocabulary import GLOSSARY, MEANINGLESS, describe_split

if TYPE_CHECKING:
    from jinja2 import Environment

TABLES = {
    # report: the tables that its template shows
    "report": {"checkpoints": tables.table_checkpoints, "steps": tables.table_steps},
    "report_rl": {
        "starts": tables.table_rl,
        "overlaps": tables.table_overlaps,
        "contrasts": tables.table_rl_contrasts,
        "runs": tables.table_runs,
    },
    "report_spectra": {"changes": tables.table_changes, "way_back": tables.table_return},
    "report_edits": {
        "leads": tables.table_leads,
        "choices": lambda findings: tables.table_edits(findings, chosen=True),
        "models": lambda findings: tables.table_edits(findings, chosen=False),
    },
}
CONSTANTS = {
    "id_tolerance": ID_TOLERANCE, "recovered_bound": RECOVERED_BOUND, "band_fraction": BAND_FRACTION,
    "end_share": END_SHARE, "gap_strata": GAP_STRATA, "sigma_bound": SIGMA_BOUND, "min_updates": MIN_UPDATES,
    "min_hands": MIN_HANDS_PER_UPDATE, "reward_window": REWARD_WINDOW, "glossary": GLOSSARY,
}  # fmt: skip


@cache
def load_templates(*, html: bool = False) -> Environment:
    """Return the room's templates; those of HTML escape every value."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("card24_pipeline.page")
    environment = Environment(
        loader=loader, autoescape=html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["table"] = tables.to_markdown
    return environment


def write_reports(findings: Findings, *, engineering: bool, trained_here: bool) -> dict[str, str]:
    """Write the reports on SFT, RL, weights and edits.

    Args:
        findings: What was found.
        engineering: Whether the scale's figures mean nothing.
        trained_here: Whether the base is the pipeline's own.

    Returns:
        Markdown by the name of the report; figures are shown from its own folder.
    """
    shared = {
        "confidence": f"{findings.confidence:.0%}",
        "warning": MEANINGLESS if engineering else "",
        "trained_here": trained_here,
        "ood": findings.ood,
        **CONSTANTS,
    }
    return {
        name: _render(name, **shared, **{key: make(findings) for key, make in shown.items()})
        for name, shown in TABLES.items()
    }


def write_claims(claims: Mapping[str, Any], *, engineering: bool) -> str:
    """Write the verdicts, as ``claims.json`` has them, as one Markdown table."""
    return _render(
        "claims",
        rows=tables.table_claims(claims["statements"]),
        confidence=f"{claims['confidence']:.0%}",
        warning=MEANINGLESS if engineering else "",
    )


def write_model_card(findings: Findings, base_model: Mapping[str, Any], *, engineering: bool) -> str:
    """Write what the models are, what they are for, and where they fail."""
    return _render(
        "model_card",
        source=base_model["source"],
        mixture=base_model["mixture"],
        models=tables.table_steps(findings),
        edits=tables.table_edits(findings, chosen=True),
        base_ood=findings.level("base"),
        max_ood=findings.level(f"{findings.sft_arm}/max_ood"),
        seeds=len(findings.seeds),
        warning=MEANINGLESS if engineering else "",
    )


def write_data_card(eval_hands: pd.DataFrame, multisets: pd.DataFrame, examples: Mapping[str, int]) -> str:
    """Write what the data are and how they are split.

    Args:
        eval_hands: The evaluation hands: columns ``split``, ``multiset``, ``base_met_multiset``.
        multisets: Every multiset of values with its ``split``.
        examples: Numbers of training examples by name.
    """
    rows = [
        {
            "split": split,
            "what for": describe_split(str(split)),
            "hands": len(hands),
            "multisets": hands["multiset"].nunique(),
            "never met by the base": hands.loc[~hands["base_met_multiset"], "multiset"].nunique(),
        }
        for split, hands in eval_hands.groupby("split", sort=False)
    ]
    counts = [{"data": name, "rows": f"{count:,}"} for name, count in examples.items()]
    return _render("data_card", splits=rows, counts=counts, multisets=f"{multisets['multiset'].nunique():,}")


def _render(name: str, **values: Any) -> str:
    return load_templates().get_template(f"{name}.md.j2").render(**values).strip() + "\n"
