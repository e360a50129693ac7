"""Statements on cheap edits in place of RL: claim 3."""

from __future__ import annotations

from functools import partial

from card24_pipeline.findings.accuracy import RECOVERED_BOUND
from card24_pipeline.findings.choices import CLAIMED_MERGE
from card24_pipeline.findings.lookup import Findings, Found
from card24_pipeline.findings.models import name_model
from card24_pipeline.findings.statements import statement
from card24_pipeline.study.vocabulary import MAX_OOD

PAYS_WITH_ID = "the edit pays with ID, which the share does not see"
PUBLISHED_NOTE = "70–80 % (abstract); no number of hands given"

recovery = partial(
    statement, 3, bound=RECOVERED_BOUND, unit="share", why_exploratory=PAYS_WITH_ID, published_note=PUBLISHED_NOTE
)


def measure_share(findings: Findings, variant: str) -> Found:
    """Look up what a variant recovers of the loss to MaxOOD."""
    return findings.recovered(findings.name_edit(variant), name_model(findings.sft_arm, MAX_OOD))


@recovery()
def top_directions_recover(findings: Findings) -> Found:
    """Restoring the directions of the top 20 % (donor MaxOOD) recovers at least 70 % of the OOD loss"""
    return measure_share(findings, CLAIMED_MERGE)


@recovery()
def first_layers_recover(findings: Findings) -> Found:
    """Resetting the first quarter of layers (donor MaxOOD) recovers at least 70 % of the OOD loss"""
    return measure_share(findings, "layer_reset donor=max_ood quarter=1")


@recovery()
def first_layers_with_embeddings_recover(findings: Findings) -> Found:
    """Resetting it with the embeddings and the head (donor MaxOOD) recovers at least 70 % of the OOD loss"""
    return measure_share(findings, "layer_reset donor=max_ood embeddings quarter=1")
