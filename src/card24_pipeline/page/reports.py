"""Reports and cards in Markdown: templates hold the prose, tables are read off the findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from card24_pipeline.findings.accuracy import ID_TOLERANCE, LEVEL, RECOVERED_BOUND
from card24_pipeline.findings.arm_pairs import measure_at_end, measure_at_id
from card24_pipeline.findings.changes import BAND_FRACTION, END_SHARE, GAP_STRATA, SIGMA_BOUND
from card24_pipeline.findings.choices import KEEPING_ID
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.findings.models import name_model
from card24_pipeline.findings.runs import MIN_HANDS_PER_UPDATE, MIN_UPDATES, REWARD_WINDOW
from card24_pipeline.page import sft_paths, tables
from card24_pipeline.page.titles import describe_basis, describe_knob, title_arm, title_family
from card24_pipeline.study.numbers import NOTHING, write_interval, write_level
from card24_pipeline.study.rows import read_rows
from card24_pipeline.study.vocabulary import (
    BASE,
    END,
    GLOSSARY,
    ID_SEEN,
    MAX_OOD,
    MEANINGLESS,
    SELECT,
    describe_split,
)

if TYPE_CHECKING:
    from jinja2 import Environment

TABLES: Mapping[str, Mapping[str, Callable[[Findings], Any]]] = {
    # report: the tables that its template shows
    "report": {
        "paths": sft_paths.table_paths,
        "arms": sft_paths.table_arms,
        "checkpoints": tables.table_checkpoints,
        "steps": tables.table_steps,
    },
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
    "min_hands": MIN_HANDS_PER_UPDATE, "reward_window": REWARD_WINDOW,
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


REPORTS = (*TABLES, "claims_table", "finding", "model_card", "data_card")
"""Names of all reports, in the order that the pipeline writes them in."""


def write_reports(findings: Findings, *, engineering: bool, trained_here: bool, selection_split: str) -> dict[str, str]:
    """Write the reports on SFT, RL, weights and edits.

    Args:
        findings: What was found.
        engineering: Whether the scale's figures mean nothing.
        trained_here: Whether the base is the pipeline's own.
        selection_split: Name of the split that MaxOOD was chosen on.

    Returns:
        Markdown by the name of the report; figures are shown from its own folder.
    """
    shared = {
        "confidence": f"{findings.confidence:.0%}",
        "warning": MEANINGLESS if engineering else "",
        "trained_here": trained_here,
        "ood": findings.ood,
        "selection_split": selection_split,
        "basis": _describe_basis(findings),
        "notes": sft_paths.describe_arms(findings),
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
        rows=tables.table_claims(claims),
        decided=tables.is_decided(claims),
        needed=claims["replicates_for_verdicts"],
        basis=describe_basis(len(claims["seeds"]), conditional=claims["conditional"]),
        confidence=f"{claims['confidence']:.0%}",
        published_hands=count_published_hands(claims),
        warning=MEANINGLESS if engineering else "",
    )


def count_published_hands(claims: Mapping[str, Any]) -> str:
    """Return the number of hands that the published figures stand on; several where they differ."""
    return " or ".join(
        str(count) for count in sorted({each["hands"] for row in claims["statements"] for each in row["published"]})
    )


def write_finding(findings: Findings, *, scale: str, engineering: bool, needed: int) -> str:
    """Write the study's answer in three sentences, and the words that they need, as the readme shows them.

    Args:
        findings: What was found.
        scale: Name of the study's scale.
        engineering: Whether its figures mean nothing.
        needed: How many replicates a verdict takes.
    """
    arm, end = findings.sft_arm, name_model(findings.sft_arm, END)
    splits = {"ood": findings.ood, "id_seen": ID_SEEN}
    checkpoints = {BASE: BASE, MAX_OOD: name_model(arm, MAX_OOD), END: end}

    def compare(model: str) -> dict[str, str]:
        rows = {name: findings.difference(model, end, split=split).row for name, split in splits.items()}
        return {name: write_interval(row, "points") for name, row in rows.items()}

    kept = _choose_edit(findings)
    return _render(
        "finding",
        arm=title_arm(arm, findings),
        **{
            name: {role: write_level(findings.find(LEVEL, one, split=split)) for role, one in checkpoints.items()}
            for name, split in splits.items()
        },
        pairs=[sentence for pair in findings.arm_pairs for sentence in _compare_arms(findings, *pair)],
        rl=compare(findings.name_run(END)),
        kept=kept
        and compare(kept["model"])
        | {"title": ", ".join(filter(None, [title_family(kept, findings), describe_knob(kept)]))},
        basis=_describe_basis(findings),
        confidence=f"{findings.confidence:.0%}",
        replicates=len(findings.seeds),
        needed=needed,
        claims=f"data/08_reporting/{scale}/claims.md",
        glossary=GLOSSARY,
        nothing=NOTHING,
        warning=MEANINGLESS if engineering else "",
    )


def _choose_edit(findings: Findings) -> dict[str, Any] | None:
    """Return the edit of the first SFT arm's End that is best on the hands for choosing among those that keep ID."""
    models = findings.models
    able = models[(models["kind"] == "edit") & models[KEEPING_ID] & (models["sft_arm"] == findings.sft_arm)]
    select = f"{findings.ood}{SELECT}"
    return max(read_rows(able), key=lambda row: findings.level(row["model"], select), default=None)


def _compare_arms(findings: Findings, arm: str, other: str) -> Iterator[str]:
    """Yield how an SFT arm compares with another at the end and at equal ID, with what it has of ID there."""
    measured = {"at End": measure_at_end, "at equal ID": measure_at_id}
    found = {place: measure(findings, arm, other) for place, measure in measured.items()}
    told = [f"{write_interval(one.row, 'points')} {place} ({one.note})" for place, one in found.items() if one.row]
    if told:
        yield f"{arm} − {other}: {'; '.join(told)}"


def write_model_card(findings: Findings, base_model: Mapping[str, Any], *, engineering: bool) -> str:
    """Write what the models are, what they are for, and where they fail."""
    return _render(
        "model_card",
        source=base_model["source"],
        mixture=base_model["mixture"],
        models=tables.table_steps(findings),
        edits=tables.table_edits(findings, chosen=True),
        base_ood=findings.level(BASE),
        max_ood=findings.level(name_model(findings.sft_arm, MAX_OOD)),
        replicates=len(findings.seeds),
        conditional=findings.conditional,
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


def _describe_basis(findings: Findings) -> str:
    return describe_basis(len(findings.seeds), conditional=findings.conditional)


def _render(name: str, **values: Any) -> str:
    return load_templates().get_template(f"{name}.md.j2").render(**values).strip() + "\n"
