"""Spectra against their null models, and the way back that RL takes: with intervals over matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import pandas as pd

from card24_pipeline.reporting.resampling import bootstrap_over_multisets, bootstrap_share
from card24_pipeline.reporting.spectra_ends import compare_ends
from card24_pipeline.reporting.spectra_summary import (
    BANDS,
    CHANGES,
    MODELS,
    NULLS,
    OBSERVED,
    WHOLE,
    average_sides,
    pick_change,
)

if TYPE_CHECKING:
    from pandas.core.groupby import SeriesGroupBy

SIGMA_SHIFT = "relative shift of singular values"
ENERGY = "energy of ΔW inside the top subspaces"
NULL_QUANTILE = 0.95
"""A band turns more than a null if its angle lies above this quantile of what the null draws."""

CONTRAST_COLUMNS = [
    "pair", "role", "scope", "measure", "model", "estimate", "low", "high", "tensors", "seeds",
]  # fmt: skip
RETURN_COLUMNS = [
    "arm", "role", "reference", "scope", "share", "share_low", "share_high", "cosine",
    "angle_change", "angle_change_low", "angle_change_high", "tensors", "seeds",
]  # fmt: skip


def name_angle(band: str) -> str:
    """Name the measure of a band's mean principal angle."""
    return f"angle of the {band}"


def name_excess(null: str) -> str:
    """Name the excess of the observed change over a null, in the column ``model``."""
    return f"over {null}"


class SpectraContrastBuilder:
    """Turns spectra into contrasts; holds the settings of the bootstrap, which draws whole matrices."""

    def __init__(self, *, resamples: int, confidence: float, seed: int) -> None:
        """Set the number of bootstrap draws, the two-sided level and the seed of the draws."""
        # The bootstraps call their clusters multisets; here a cluster is a matrix, with all its seeds.
        self._bootstrap = partial(bootstrap_over_multisets, resamples=resamples, confidence=confidence, seed=seed)
        self._bootstrap_share = partial(bootstrap_share, resamples=resamples, confidence=confidence, seed=seed)

    def contrast_changes(
        self, spectra: pd.DataFrame, by_index: pd.DataFrame, selected: pd.DataFrame, *, fraction: float
    ) -> pd.DataFrame:
        """Measure each of ``CHANGES`` beside its nulls, matrix by matrix within a seed.

        Args:
            spectra: One row per seed, pair, step, tensor, model, draw, band and fraction.
            by_index: One row per seed, pair, step, tensor, model and index.
            selected: Columns ``seed``, ``role``, ``step``.
            fraction: Size of the bands.

        Returns:
            For each ``pair``, ``role``, ``scope`` ("all seeds" or "seed n"), ``measure`` and ``model``: the mean
            over matrices and seeds (``estimate``) with ``low`` and ``high``, and the numbers of ``tensors`` and
            ``seeds``. Shifts and energies are shares, all else is in degrees. ``model`` is the observed change, a
            null (mean of its draws), or the excess of the first over the second (``name_excess``): over the null's
            mean, but over its ``NULL_QUANTILE`` (``estimate_quantile``) where the measure is the angle of a band.
        """
        rows: list[dict[str, Any]] = []
        for change in CHANGES:
            bands, indices = (pick_change(table, selected, change) for table in (spectra, by_index))
            if bands.empty:
                continue
            for measure, table in measure_change(bands, indices, fraction).items():
                for scope, part in _each_scope(table):
                    where = {"pair": change.pair, "role": change.role, "scope": scope, "measure": measure}
                    rows += [where | row for row in self._average(part)]
        return pd.DataFrame(rows, columns=CONTRAST_COLUMNS)

    def _average(self, table: pd.DataFrame) -> list[dict[str, Any]]:
        """Average each model's column over the matrices that all of them have."""
        models = [name for name in table.columns if name not in ("seed", "tensor")]
        paired = table.dropna().rename(columns={"tensor": "multiset"})
        if paired.empty:
            return []
        facts = {"tensors": paired["multiset"].nunique(), "seeds": paired["seed"].nunique()}
        return [
            {"model": model, "estimate": interval.estimate, "low": interval.low, "high": interval.high, **facts}
            for model, interval in zip(models, self._bootstrap(paired, models), strict=True)
        ]

    def contrast_return(self, rl_return: pd.DataFrame, selected: pd.DataFrame) -> pd.DataFrame:
        """Measure how far RL goes back to the models before its start, by arm, role of the start and reference.

        Args:
            rl_return: One row per seed, arm, ``from_step``, reference and tensor.
            selected: Columns ``seed``, ``role``, ``step``.

        Returns:
            For each scope also: ``share``, Σ ⟨Δ_RL, R − S⟩ / Σ ‖R − S‖² over matrices, R being the reference and S
            the start (1 is the whole way back), with its bounds; ``cosine`` of Δ_RL and R − S, all matrices taken
            as one vector; and ``angle_change`` (degrees, negative is nearer), the mean change of the principal
            angle of the top 20 % subspaces to the reference's, with its bounds.
        """
        if rl_return.empty:
            return pd.DataFrame(columns=RETURN_COLUMNS)
        starts = selected.rename(columns={"step": "from_step"})[["seed", "role", "from_step"]]
        runs = rl_return.merge(starts, on=["seed", "from_step"])
        after, before = (
            runs[f"left_angle_{when}_degrees"] + runs[f"right_angle_{when}_degrees"] for when in ("after", "before")
        )
        table = runs.assign(angle_change=(after - before) / 2).rename(columns={"tensor": "multiset"})
        rows = [
            {"arm": arm, "role": role, "reference": reference, "scope": scope} | self._summarise_return(part)
            for (arm, role, reference), group in table.groupby(["arm", "role", "reference"])
            for scope, part in _each_scope(group)
        ]
        return pd.DataFrame(rows, columns=RETURN_COLUMNS)

    def _summarise_return(self, runs: pd.DataFrame) -> dict[str, Any]:
        share = self._bootstrap_share(runs, "projection", "distance_squared")
        (angle,) = self._bootstrap(runs, ["angle_change"])
        projection, distance, step = (
            float(runs[name].sum()) for name in ("projection", "distance_squared", "rl_norm_squared")
        )
        lengths = math.sqrt(distance * step)
        return {
            "share": share.estimate,
            "share_low": share.low,
            "share_high": share.high,
            "cosine": projection / lengths if lengths else float("nan"),
            "angle_change": angle.estimate,
            "angle_change_low": angle.low,
            "angle_change_high": angle.high,
            "tensors": runs["multiset"].nunique(),
            "seeds": runs["seed"].nunique(),
        }


def measure_change(bands: pd.DataFrame, indices: pd.DataFrame, fraction: float) -> dict[str, pd.DataFrame]:
    """Measure one change matrix by matrix, beside its nulls.

    Args:
        bands: Its rows of whole bands, see ``pick_change``; there must be some.
        indices: Its rows of single indices.
        fraction: Size of the bands.

    Returns:
        By measure: columns ``seed``, ``tensor``, each model's mean over draws, and the excess over each null.
    """
    tables = _measure_bands(bands, fraction)
    return tables | {name: _compare_models(table, "value") for name, table in compare_ends(indices).items()}


def _measure_bands(spectra: pd.DataFrame, fraction: float) -> dict[str, pd.DataFrame]:
    """Compare the models of one change on what was measured of whole bands."""
    sided = average_sides(spectra[spectra["fraction"] == fraction])
    bands = {band: sided[sided["band"] == band] for band in BANDS}
    tables = {SIGMA_SHIFT: _compare_models(spectra[spectra["band"] == WHOLE], "relative_sigma_shift")}
    tables |= {
        name_angle(band): _compare_models(rows, "angle_degrees", null_quantile=NULL_QUANTILE)
        for band, rows in bands.items()
    }
    return tables | {ENERGY: _compare_models(bands["top"], "energy_inside")}


def _compare_models(rows: pd.DataFrame, column: str, *, null_quantile: float | None = None) -> pd.DataFrame:
    """Lay models out side by side: ``seed``, ``tensor``, each model's mean over draws, the excess over each null."""
    measured = [model for model in MODELS if (rows["model"] == model).any()]
    draws = {model: rows[rows["model"] == model].groupby(["seed", "tensor"])[column] for model in measured}
    columns = {model: grouped.mean() for model, grouped in draws.items()}
    for null in NULLS:
        if OBSERVED in draws and null in draws:
            reference = columns[null] if null_quantile is None else estimate_quantile(draws[null], null_quantile)
            columns[name_excess(null)] = columns[OBSERVED] - reference
    matrices = rows.groupby(["seed", "tensor"]).size().index
    return pd.DataFrame(columns, index=matrices).reset_index()


def estimate_quantile(draws: SeriesGroupBy[Any, Any], quantile: float) -> pd.Series:
    """Estimate a quantile of what a null draws for each matrix, from a handful of draws.

    A few draws have no upper quantile of their own: the greatest of four lies at about the 80 % quantile. So they are
    taken as normal, each matrix about its own mean, and all with the spread that their draws have in common: a root
    mean square, which is no less than the mean spread, so that over matrices the quantile is rather too high than too
    low.

    Args:
        draws: The draws, grouped by matrix.
        quantile: Which one, such as 0.95.

    Returns:
        The quantile of each group; NaN where no matrix has two draws.
    """
    freedom = (draws.count() - 1).clip(lower=0)
    if not freedom.sum():
        return draws.mean() * float("nan")
    spread = math.sqrt(float((draws.var() * freedom).sum() / freedom.sum()))
    return draws.mean() + NormalDist().inv_cdf(quantile) * spread


def _each_scope(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of all seeds together, then of each."""
    if len(table):
        yield "all seeds", table
    for seed, part in table.groupby("seed"):
        yield f"seed {seed}", part
