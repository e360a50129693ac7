"""Every quantity on weights: how singular values and directions moved, beside null models, and RL's way back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from card24_pipeline.findings.models import name_model
from card24_pipeline.findings.reading import RUN
from card24_pipeline.findings.resampling import Bootstrap, Least, Resampled, take_sample
from card24_pipeline.study.vocabulary import (
    ALONE,
    BANDS,
    BASE,
    BOTH_NULLS,
    CHANGE_MODELS,
    END,
    MAX_OOD,
    NULLS,
    OBSERVED,
    POOLED,
    WHOLE_BAND,
)

SIGMA_SHIFT, SIGNED_SHIFT = "relative shift of singular values", "signed shift of singular values"
ENERGY, NORM_RATIO, CHANGED = "energy of ΔW inside the top subspaces", "‖ΔW‖ / ‖W‖", "share of weights changed"
WAY_BACK, COSINE, ANGLE_CHANGE = "share of the way back", "cosine with the way back", "change of the angle to it"

SIGMA_BOUND = 0.01
"""Singular values "hardly change" if they do by less than this share of themselves; set before the study was run."""

BAND_FRACTION = 0.2
"""Share of all indices in a band, as in the claims (arXiv 2508.16546)."""

END_SHARE = 0.2
"""The first and the last fifth of all indices are the ends; what lies between is the bulk."""

GAP_STRATA = 8
"""Quantile bins of the relative gap, over all indices of a change."""

ENDS = {"ends": ("top", "tail"), "top end": ("top",), "tail end": ("tail",)}
MATRIX = ["seed", "tensor"]


def name_angle(band: str) -> str:
    """Name the quantity of a band's mean principal angle."""
    return f"angle of the {band}"


def name_ends(ends: str, *, equal_gaps: bool) -> str:
    """Name the quantity of one of ``ENDS`` against the bulk."""
    return f"rotation: {ends} - bulk" + (", equal gaps" if equal_gaps else "")


def average_sides(spectra: pd.DataFrame) -> pd.DataFrame:
    """Add ``angle_degrees``, the mean of the left and the right subspace's mean principal angle."""
    return spectra.assign(angle_degrees=(spectra["left_angle_degrees"] + spectra["right_angle_degrees"]) / 2)


def measure_rotation(cosines: pd.Series) -> pd.Series:
    """Return angles in degrees from the |cos| between singular vectors before and after."""
    return pd.Series(np.degrees(np.arccos(cosines.clip(0, 1))), index=cosines.index)


def pick_changes(table: pd.DataFrame, selected: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of spectra at the selected checkpoints, with ``subject`` and ``reference``: after and before.

    Args:
        table: ``seed``, ``pair``, ``step``, the arm (``sft_arm`` or ``rl_arm`` with ``sft_arm``), and others.
        selected: ``seed``, ``sft_arm``, ``role``, ``step``, and of spectra of RL ``rl_arm``.
    """
    rows = table.merge(selected, on=[key for key in ("seed", "rl_arm", "sft_arm", "step") if key in selected])
    if "rl_arm" in rows:
        return rows.assign(
            subject=rows["rl_arm"] + "/from " + rows["role"], reference=rows["sft_arm"] + "/" + rows["role"]
        )
    between = rows["pair"] == "max_ood_to_end"
    references = np.where(between, rows["sft_arm"] + f"/{MAX_OOD}", BASE)
    rows = rows.assign(subject=rows["sft_arm"] + "/" + rows["role"], reference=references)
    return rows[~between | (rows["role"] == END)]


def estimate_changes(spectra: pd.DataFrame, by_index: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure each change of weights beside its null models, matrix by matrix within a seed.

    Args:
        spectra: Output of ``pick_changes`` on rows by band.
        by_index: The same on rows by index.
        bootstrap: Settings of the intervals. A replicate's value is the mean over its matrices; of a single one, these
            are drawn.

    Returns:
        One row per change, quantity, model of the change (observed, a null as the mean of its draws, the excess over
        each null's mean, and the least of these, ``BOTH_NULLS``, see ``Least``) and scope: columns as
        ``estimate_accuracy`` has them, with ``change_model`` in place of split and hands. Shifts and energies are
        shares, angles degrees.
    """
    rows = []
    for (subject, reference), bands in spectra.groupby(["subject", "reference"], sort=False):
        indices = by_index[(by_index["subject"] == subject) & (by_index["reference"] == reference)]
        for quantity, table in measure_change(bands, indices).items():
            about = {"quantity": quantity, "subject": subject, "reference": reference}
            rows += [
                about | {"scope": scope} | row
                for scope, part in _each_scope(table)
                for row in _average(part, quantity, bootstrap)
                if scope == POOLED or row["change_model"] in (OBSERVED, BOTH_NULLS)
            ]
    return pd.DataFrame(rows)


def measure_change(bands: pd.DataFrame, indices: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Measure one change matrix by matrix: by quantity, ``MATRIX`` and a column for each model and each excess."""
    sided = average_sides(bands[bands["fraction"] == BAND_FRACTION])
    whole = bands[bands["band"] == WHOLE_BAND]
    measured = {
        SIGMA_SHIFT: (whole, "relative_sigma_shift"),
        SIGNED_SHIFT: (whole, "signed_sigma_shift"),
        NORM_RATIO: (whole[whole["model"] == OBSERVED], "norm_ratio"),
        CHANGED: (whole[whole["model"] == OBSERVED], "changed_share"),
        **{name_angle(band): (sided[sided["band"] == band], "angle_degrees") for band in BANDS},
        ENERGY: (sided[sided["band"] == "top"], "energy_inside"),
        **{name: (table, "value") for name, table in compare_ends(indices).items()},
    }
    return {name: _compare_models(rows, column) for name, (rows, column) in measured.items()}


def _compare_models(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Lay models out side by side: ``MATRIX``, each model's mean over draws, the excess over each null."""
    means = rows.groupby([*MATRIX, "model"])[column].mean().unstack("model")
    means = means.reindex(columns=[model for model in CHANGE_MODELS if model in means])
    for null in NULLS:
        if OBSERVED in means and null in means:
            means[f"over {null}"] = means[OBSERVED] - means[null]
    return means.reset_index()


def _average(table: pd.DataFrame, quantity: str, bootstrap: Bootstrap) -> Iterator[dict[str, Any]]:
    """Average each model's column over seeds, in each over the matrices that all models have."""
    models = [name for name in table.columns if name not in MATRIX]
    paired = table.dropna()
    if paired.empty:
        return
    facts = {"rows": len(paired), "clusters": paired["tensor"].nunique(), "seeds": paired["seed"].nunique()}
    sample = take_sample(paired, models, "tensor")
    averages = bootstrap.average(sample, shared=False)
    means: dict[str, Resampled | Least] = dict(zip(models, averages, strict=True))
    excesses = [mean for name, mean in zip(models, averages, strict=True) if name.startswith("over ")]
    if len(excesses) == len(NULLS):
        means[BOTH_NULLS] = Least(excesses)
    bound = SIGMA_BOUND if quantity == SIGMA_SHIFT else 0.0
    for model, mean in means.items():
        yield {"change_model": model} | mean.describe(bootstrap.confidence, bound) | facts


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
    stratified = rotations.drop(columns="stratum").merge(_stratify_gaps(indices), on=[*MATRIX, "index"])
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
    return observed[[*MATRIX, "index"]].assign(stratum=np.searchsorted(edges, gaps, side="right"))


def _subtract_bulk(rotations: pd.DataFrame, ends: Sequence[str]) -> pd.DataFrame:
    """Average the difference of ends and bulk over the strata of each matrix."""
    chosen = rotations[rotations["place"].isin((*ends, "bulk"))]
    grouped = chosen.assign(at_end=chosen["place"].isin(ends)).groupby([*MATRIX, "model", "stratum", "at_end"])
    means, counts = (
        table.unstack("at_end").reindex(columns=[True, False]) for table in (grouped["rotation"].mean(), grouped.size())
    )
    weights = counts.min(axis=1, skipna=False)
    sums = pd.DataFrame({"weighted": weights * (means[True] - means[False]), "weight": weights}).dropna()
    sums = sums.groupby([*MATRIX, "model"]).sum()
    return (sums["weighted"] / sums["weight"]).rename("value").reset_index()


def estimate_return(rl_return: pd.DataFrame, starts: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Measure how far RL goes back to the models before its start.

    Args:
        rl_return: One row per seed, ``rl_arm``, ``sft_arm``, ``from_step``, ``reference`` (base or MaxOOD) and tensor.
        starts: ``RUN`` and ``role``.
        bootstrap: Settings of the intervals, as ``estimate_changes`` takes it.

    Returns:
        Rows as ``estimate_changes`` has them, for each scope: ``WAY_BACK``, Σ ⟨Δ_RL, R − S⟩ / Σ ‖R − S‖² over
        matrices, R being the reference and S the start (1 is the whole way; left out where there is no way to go);
        ``COSINE`` of Δ_RL and R − S, all matrices taken as one vector, without an interval; ``ANGLE_CHANGE``
        (degrees, negative is nearer), of the principal angle of the top subspaces to the reference's.
    """
    runs = rl_return.merge(starts, on=RUN)
    if runs.empty:
        return pd.DataFrame()
    after, before = (runs[f"left_angle_{w}_degrees"] + runs[f"right_angle_{w}_degrees"] for w in ("after", "before"))
    runs["angle_change"] = (after - before) / 2
    references = [
        BASE if row[1] == BASE else name_model(*row) for row in zip(runs["sft_arm"], runs["reference"], strict=True)
    ]
    runs = runs.assign(subject=runs["rl_arm"] + "/from " + runs["role"], reference=references)
    rows = []
    for (subject, reference), group in runs.groupby(["subject", "reference"]):
        about = {"subject": subject, "reference": reference, "change_model": OBSERVED}
        rows += [
            about | {"scope": scope} | row
            for scope, part in _each_scope(group)
            for row in _measure_return(part, bootstrap)
        ]
    return pd.DataFrame(rows)


def _measure_return(runs: pd.DataFrame, bootstrap: Bootstrap) -> Iterator[dict[str, Any]]:
    facts = {"rows": len(runs), "clusters": runs["tensor"].nunique(), "seeds": runs["seed"].nunique()}
    way, whole, turned = (
        take_sample(runs, [name], "tensor") for name in ("projection", "distance_squared", "angle_change")
    )
    share = bootstrap.divide(way, whole, shared=False)
    if share is not None:
        yield {"quantity": WAY_BACK} | share.describe(bootstrap.confidence, 0.0) | facts
    (angle,) = bootstrap.average(turned, shared=False)
    yield {"quantity": ANGLE_CHANGE} | angle.describe(bootstrap.confidence, 0.0) | facts
    projection, distance, step = (float(runs[n].sum()) for n in ("projection", "distance_squared", "rl_norm_squared"))
    lengths = math.sqrt(distance * step)
    if lengths:
        yield {"quantity": COSINE, "estimate": projection / lengths, "bound": 0.0} | facts


def _each_scope(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of all replicates together, then of each."""
    if len(table):
        yield POOLED, table
    for seed, part in table.groupby("seed"):
        yield f"{ALONE}{seed}", part
