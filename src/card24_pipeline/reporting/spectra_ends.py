"""Rotation of single singular vectors: at the ends of the spectrum against its bulk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from card24_pipeline.reporting.spectra_summary import OBSERVED

END_SHARE = 0.2
"""The first and the last fifth of all indices are the ends; what lies between is the bulk."""

GAP_STRATA = 8
"""Quantile bins of the relative gap, over all indices of a change."""

ENDS = {"ends": ("top", "tail"), "top end": ("top",), "tail end": ("tail",)}


def name_ends(ends: str, *, equal_gaps: bool) -> str:
    """Name the measure of one of ``ENDS`` against the bulk."""
    return f"rotation: {ends} - bulk" + (", equal gaps" if equal_gaps else "")


def measure_rotation(cosines: pd.Series) -> pd.Series:
    """Return angles in degrees from the |cos| between singular vectors before and after."""
    return pd.Series(np.degrees(np.arccos(cosines.clip(0, 1))), index=cosines.index)


def compare_ends(indices: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Take the mean rotation at the ends of each matrix's spectrum less that in its bulk.

    Vectors with near neighbours turn under any noise, so each difference is taken twice: over all indices, and
    within strata of the gap to the nearest singular value. A stratum weighs the smaller of its numbers of indices
    at the ends and in the bulk; where it lacks one of them it does not count. Strata are those of the observed ΔW
    and hold for the nulls too: the same indices are compared, at the same weights.

    Args:
        indices: Rows of one change by seed, tensor, model and index: ``position`` (0 to 1), ``left_cosine``,
            ``right_cosine``, ``relative_gap``.

    Returns:
        By the names of ``name_ends``: columns ``seed``, ``tensor``, ``model`` and ``value``, the difference in
        degrees. A matrix without a stratum to compare in is left out; without any rows there are no tables.
    """
    if indices.empty:
        return {}
    sides = [measure_rotation(indices[f"{side}_cosine"]) for side in ("left", "right")]
    position = indices["position"]
    places = np.select([position < END_SHARE, position > 1 - END_SHARE], ["top", "tail"], "bulk")
    rotations = indices.assign(rotation=(sides[0] + sides[1]) / 2, place=places, stratum=0)
    stratified = rotations.drop(columns="stratum").merge(_stratify_gaps(indices), on=["seed", "tensor", "index"])
    return {
        name_ends(name, equal_gaps=equal): _subtract_bulk(table, places_of_ends)
        for name, places_of_ends in ENDS.items()
        for equal, table in ((False, rotations), (True, stratified))
    }


def _stratify_gaps(indices: pd.DataFrame) -> pd.DataFrame:
    """Assign each index a ``stratum`` of its observed gap; a matrix that did not change has no gaps to go by."""
    observed = indices[(indices["model"] == OBSERVED) & np.isfinite(indices["relative_gap"])]
    gaps = observed["relative_gap"].to_numpy(dtype=np.float64)
    edges = np.quantile(gaps, np.arange(1, GAP_STRATA) / GAP_STRATA) if len(gaps) else gaps
    return observed[["seed", "tensor", "index"]].assign(stratum=np.searchsorted(edges, gaps, side="right"))


def _subtract_bulk(rotations: pd.DataFrame, ends: Sequence[str]) -> pd.DataFrame:
    """Average the difference of ends and bulk over the strata of each matrix."""
    chosen = rotations[rotations["place"].isin((*ends, "bulk"))]
    grouped = chosen.assign(at_end=chosen["place"].isin(ends)).groupby(
        ["seed", "tensor", "model", "stratum", "at_end"]
    )["rotation"]
    means, counts = (
        table.unstack("at_end").reindex(columns=[True, False]) for table in (grouped.mean(), grouped.size())
    )
    weights = counts.min(axis=1, skipna=False)
    sums = pd.DataFrame({"weighted": weights * (means[True] - means[False]), "weight": weights}).dropna()
    sums = sums.groupby(["seed", "tensor", "model"]).sum()
    return (sums["weighted"] / sums["weight"]).rename("value").reset_index()
