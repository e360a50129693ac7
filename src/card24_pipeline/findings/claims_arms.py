"""Statements on SFT arms that are held against each other, made pair by pair: claim 5."""

from __future__ import annotations

from collections.abc import Callable

from card24_pipeline.findings.arm_pairs import measure_at_end, measure_at_id
from card24_pipeline.findings.lookup import Findings, Found
from card24_pipeline.findings.statements import Statement

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
