"""Statements on how the weights moved from the base to End: claim 2."""

from __future__ import annotations

from card24_pipeline.findings.changes import SIGMA_BOUND, SIGMA_SHIFT, name_angle, name_ends
from card24_pipeline.findings.lookup import Findings, Found
from card24_pipeline.findings.statements import statement
from card24_pipeline.study.vocabulary import BOTH_NULLS

NULLS_SHOW_IT = "null models of equal norm show it too, so it has no placebo to stand against"


@statement(
    2,
    side="below",
    bound=SIGMA_BOUND,
    unit="percent",
    why_exploratory=NULLS_SHOW_IT,
    published_note="mean relative change .3–.4 %, read off a figure; no number of matrices given",
)
def sigma_hardly_changes(findings: Findings) -> Found:
    """Singular values move by less than 1 % (median over a matrix, mean over matrices)"""
    return findings.change(SIGMA_SHIFT)


@statement(
    2, unit="degrees", why_exploratory="the bar was a null's quantile; against the nulls' means it was chosen late"
)
def top_directions_turn_beyond_nulls(findings: Findings) -> Found:
    """Directions of the top 20 % turn more than either null model turns them on average"""
    return findings.change(name_angle("top"), change_model=BOTH_NULLS)


@statement(2, unit="degrees", why_exploratory=NULLS_SHOW_IT)
def ends_turn_more_than_bulk(findings: Findings) -> Found:
    """Rotation is larger at the two ends than in the bulk"""
    return findings.change(name_ends("ends", equal_gaps=False))


@statement(2, unit="degrees", confirmatory=True)
def ends_turn_more_beyond_nulls(findings: Findings) -> Found:
    """… at equal spectral gaps, and beyond either null model"""
    return findings.change(name_ends("ends", equal_gaps=True), change_model=BOTH_NULLS)
