"""Evidence on how the weights moved from the base to End: claim 2."""

from __future__ import annotations

import pandas as pd

from card24_pipeline.reporting.claims import Evidence, EvidenceBuilder, Statement
from card24_pipeline.reporting.spectra_contrasts import SIGMA_SHIFT, measure_change, name_angle, name_excess
from card24_pipeline.reporting.spectra_ends import name_ends
from card24_pipeline.reporting.spectra_summary import BASE_TO_END, NULLS, OBSERVED, find_fraction, pick_change
from card24_pipeline.reporting.spectra_verdicts import SIGMA_BOUND

EXCESSES = [name_excess(null) for null in NULLS]


def gather_weight_claims(
    spectra: pd.DataFrame, by_index: pd.DataFrame, selected: pd.DataFrame, builder: EvidenceBuilder
) -> list[Evidence]:
    """Measure every statement of claim 2, matrix by matrix within a seed.

    Args:
        spectra: One row per seed, pair, step, tensor, model, draw, band and fraction.
        by_index: One row per seed, pair, step, tensor, model and index.
        selected: Columns ``seed``, ``role``, ``step``.
        builder: Settings of the bootstrap, whose clusters are matrices here.
    """
    fraction = find_fraction(spectra)
    bands, indices = (pick_change(table, selected, BASE_TO_END) for table in (spectra, by_index))
    measured = {} if bands.empty else measure_change(bands, indices, fraction)
    tables = {name: table.rename(columns={"tensor": "multiset"}) for name, table in measured.items()}
    sigma = Statement(
        2,
        "sigma_hardly_changes",
        "Singular values move by less than 1 % (median over a matrix, mean over matrices)",
        unit="percent",
        side="below",
        bound=SIGMA_BOUND,
        published_note="mean relative change .3–.4 %, read off a figure; no number of matrices given",
    )
    turn = Statement(
        2,
        "top_directions_turn_beyond_nulls",
        f"Directions of the top {fraction:.0%} turn more than the 95th percentile of either null model",
        unit="degrees",
    )
    ends = Statement(
        2, "ends_turn_more_than_bulk", "Rotation is larger at the two ends than in the bulk", unit="degrees"
    )
    beyond = Statement(
        2,
        "ends_turn_more_beyond_nulls",
        "… at equal spectral gaps, and beyond either null model",
        unit="degrees",
    )
    matched = tables.get(name_ends("ends", equal_gaps=True), pd.DataFrame())
    return [
        builder.take_mean(sigma, _take_value(tables.get(SIGMA_SHIFT), OBSERVED)),
        _take_excess(builder, turn, tables.get(name_angle("top"))),
        builder.take_mean(ends, _take_value(tables.get(name_ends("ends", equal_gaps=False)), OBSERVED)),
        _take_excess(builder, beyond, matched),
    ]


def _take_value(table: pd.DataFrame | None, column: str) -> pd.DataFrame:
    if table is None or column not in table:
        return pd.DataFrame()
    return table.rename(columns={column: "value"})[["seed", "multiset", "value"]].dropna()


def _take_excess(builder: EvidenceBuilder, statement: Statement, table: pd.DataFrame | None) -> Evidence:
    """Measure the excess over the null model that leaves least of it."""
    if table is None or not set(EXCESSES) <= set(table.columns):
        return Evidence(statement, cluster=builder.cluster, note="not measured beside both null models")
    return builder.take_least_mean(statement, table[["seed", "multiset", *EXCESSES]].dropna(), EXCESSES)
