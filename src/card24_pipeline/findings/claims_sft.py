"""Statements on fine-tuning: claim 1."""

from __future__ import annotations

from dataclasses import replace

from card24_pipeline.findings.accuracy import ID_TOLERANCE
from card24_pipeline.findings.lookup import NOT_MEASURED, Findings, Found
from card24_pipeline.findings.models import name_model
from card24_pipeline.findings.published import compare_sft
from card24_pipeline.findings.statements import statement
from card24_pipeline.study.vocabulary import ANNEALED, END, ID_HELDOUT, ID_SEEN, MAX_OOD, TUNED, title_role

CHOSEN_FOR_IT = "the first arm's rate was chosen for its effect"
ASKED_LATE = "asked after trials had shown it"


def compare_roles(findings: Findings, left: str, right: str, split: str | None = None) -> Found:
    """Look the difference of two roles of the first SFT arm up."""
    return findings.difference(name_model(findings.sft_arm, left), name_model(findings.sft_arm, right), split=split)


@statement(1, confirmatory=True, by_construction=True, published=compare_sft("ood", 1))
def ood_peaks_before_end(findings: Findings) -> Found:
    """OOD peaks before the last checkpoint of SFT (MaxOOD − End)"""
    return compare_roles(findings, MAX_OOD, END)


@statement(1, bound=-ID_TOLERANCE, confirmatory=True, published=compare_sft("id", -1))
def id_seen_does_not_fall(findings: Findings) -> Found:
    """Meanwhile ID on the multisets of SFT does not fall by a point (End − MaxOOD)"""
    return compare_roles(findings, END, MAX_OOD, ID_SEEN)


@statement(1, bound=-ID_TOLERANCE, confirmatory=True)
def id_heldout_does_not_fall(findings: Findings) -> Found:
    """… nor does ID on held-out multisets"""
    return compare_roles(findings, END, MAX_OOD, ID_HELDOUT)


def compare_arms(findings: Findings, arm: str, other: str, role: str) -> Found:
    """Look up by how much one SFT arm's checkpoint of a role lies above another's on OOD."""
    return findings.difference(name_model(arm, role), name_model(other, role))


@statement(5, why_exploratory=CHOSEN_FOR_IT)
def tuned_keeps_more_ood_at_equal_id(findings: Findings) -> Found:
    """At the highest ID that both reach, SFT at the rate tuned for ID has more OOD than at the first arm's rate"""
    levels = findings.list_levels(TUNED, findings.sft_arm)
    if not levels:
        return Found(note=NOT_MEASURED)
    found = compare_arms(findings, TUNED, findings.sft_arm, levels[-1])
    if found.row is None:
        return found
    return replace(found, note=", ".join(filter(None, [title_role(levels[-1]), found.note])))


@statement(5, why_exploratory=ASKED_LATE)
def annealing_keeps_ood(findings: Findings) -> Found:
    """The first arm annealed ends with more OOD than without annealing"""
    return compare_arms(findings, f"{findings.sft_arm}{ANNEALED}", findings.sft_arm, END)


@statement(5, why_exploratory=ASKED_LATE)
def annealing_keeps_ood_when_tuned(findings: Findings) -> Found:
    """… and so does the tuned one"""
    return compare_arms(findings, f"{TUNED}{ANNEALED}", TUNED, END)
