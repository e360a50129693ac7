"""How SFT arms that are held against each other differ, for statements and for the finding's text."""

from __future__ import annotations

from dataclasses import replace

from card24_pipeline.findings.lookup import NOT_MEASURED, Findings, Found
from card24_pipeline.findings.models import name_model
from card24_pipeline.study.numbers import write_interval
from card24_pipeline.study.vocabulary import END, ID_SEEN, title_role


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
