"""Statements on SFT arms that are held against each other, made pair by pair: claim 5."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from card24_pipeline.findings.lookup import NOT_MEASURED, Findings, Found
from card24_pipeline.findings.models import name_model
from card24_pipeline.findings.statements import Statement
from card24_pipeline.study.numbers import write_interval
from card24_pipeline.study.vocabulary import END, ID_SEEN, title_role

ASKED_LATE = "asked after trials had shown it"


def compare_arms(arm: str, other: str) -> list[Statement]:
    """Make the statements that an SFT arm has more OOD than another: at the end, and at the same level of ID."""

    def make(key: str, text: str, measure: Callable[[Findings, str, str], Found]) -> Statement:
        return Statement(
            f"{arm}_above_{other}_at_{key}", text, 5, lambda findings: measure(findings, arm, other),
            "above", 0.0, "points", False, ASKED_LATE, False, (), "",
        )  # fmt: skip

    return [
        make("end", f"At End, SFT {arm} has more OOD than SFT {other}", measure_at_end),
        make(
            "equal_id", f"… and so it has at the highest level of ID that both reach ({arm} − {other})", measure_at_id
        ),
    ]


def measure_at_end(findings: Findings, arm: str, other: str) -> Found:
    """Look up by how much an arm ends above another on OOD; the note has the same on ID."""
    return _measure(findings, arm, other, END)


def measure_at_id(findings: Findings, arm: str, other: str) -> Found:
    """Look the same up at the highest level of ID that both reach in some replicate; the note names it.

    Checkpoints are far between, so that ID at the first of them at or above a level differs too.
    """
    for role in reversed(findings.list_levels(arm, other)):
        found = _measure(findings, arm, other, role)
        if found.row is not None:
            count = f"{found.row['seeds']} of {len(findings.seeds)} replicates"
            return replace(found, note=f"{title_role(role)}, both in {count}; {found.note}")
    return Found(note=NOT_MEASURED)


def _measure(findings: Findings, arm: str, other: str, role: str) -> Found:
    pair = name_model(arm, role), name_model(other, role)
    found, on_id = (findings.difference(*pair, split=split) for split in (findings.ood, ID_SEEN))
    return found if found.row is None else replace(found, note=f"ID {write_interval(on_id.row, 'points')}")
