"""Statements on fine-tuning: claim 1."""

from __future__ import annotations

from card24_pipeline.findings.accuracy import ID_TOLERANCE
from card24_pipeline.findings.lookup import Findings, Found
from card24_pipeline.findings.models import name_model
from card24_pipeline.findings.published import compare_sft
from card24_pipeline.findings.statements import statement
from card24_pipeline.study.vocabulary import END, ID_HELDOUT, ID_SEEN, MAX_OOD


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
