"""What changed in the spectra of weight matrices: averages over matrices, for each pair of models and band."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

OBSERVED, GAUSSIAN, MATCHED = MODELS = ("observed", "gaussian", "spectrum_matched")
NULLS = (GAUSSIAN, MATCHED)
WHOLE = "all"
BANDS = ("top", "bulk", "tail")

BAND_FRACTION = 0.2
"""Share of all indices in a band, as in the claims (arXiv 2508.16546); the nearest one that was measured is taken."""


@dataclass(frozen=True)
class Change:
    """A change of weights on which claims are judged.

    Attributes:
        pair: The models before and after, as the tables of spectra name them.
        role: Role of the SFT checkpoint among the pair's; empty where the pair names both checkpoints itself.
        title: How the page calls it.
    """

    pair: str
    role: str
    title: str


BASE_TO_END = Change("base_to_sft", "end", "From the base to End")
CHANGES = (
    BASE_TO_END,
    Change("base_to_sft", "max_ood", "From the base to MaxOOD"),
    Change("max_ood_to_end", "", "From MaxOOD to End"),
    Change("sft_to_rl", "end", "From End through RL"),
)


def pick_change(table: pd.DataFrame, selected: pd.DataFrame, change: Change) -> pd.DataFrame:
    """Return the rows of one change, each seed's at the step that was selected for it.

    Args:
        table: Columns ``seed``, ``pair``, ``step`` and others.
        selected: Columns ``seed``, ``role``, ``step``.
        change: The change.
    """
    rows = table[table["pair"] == change.pair]
    if not change.role:
        return rows
    return rows.merge(selected.loc[selected["role"] == change.role, ["seed", "step"]], on=["seed", "step"])


def find_fraction(spectra: pd.DataFrame) -> float:
    """Return the measured fraction of the bands that is nearest to ``BAND_FRACTION``."""
    measured = spectra.loc[spectra["band"].isin(BANDS), "fraction"].unique()
    return float(min(measured, key=lambda fraction: abs(fraction - BAND_FRACTION), default=BAND_FRACTION))


def average_sides(spectra: pd.DataFrame) -> pd.DataFrame:
    """Add ``angle_degrees``, the mean of the left and the right subspace's mean principal angle."""
    return spectra.assign(angle_degrees=(spectra["left_angle_degrees"] + spectra["right_angle_degrees"]) / 2)


def summarise_spectra(spectra: pd.DataFrame, selected: pd.DataFrame) -> pd.DataFrame:
    """Average over matrices, seeds and, of the nulls, draws.

    Args:
        spectra: One row per seed, pair, step, tensor, model, draw, band and fraction.
        selected: Columns ``seed``, ``role``, ``step``.

    Returns:
        One row per ``pair``, ``step``, ``model``, ``band`` and ``fraction``, with the ``role`` that any seed gave the
        step (several joined by commas, or none) and the numbers of ``tensors`` and ``seeds``. All other columns are
        means: ``relative_sigma_shift`` (of the matrices' medians of |σ' − σ| / σ; with ``_median`` their median),
        ``signed_sigma_shift``, angles in degrees (``left_``, ``right_``, and ``angle_degrees`` of both sides),
        ``energy_inside`` (share of ‖ΔW‖²), ``norm_ratio`` (‖ΔW‖ / ‖W‖) and ``changed_share`` (of weights).
    """
    keys = ["pair", "step", "model", "band", "fraction"]
    means = [
        "relative_sigma_shift",
        "signed_sigma_shift",
        "left_angle_degrees",
        "right_angle_degrees",
        "angle_degrees",
        "energy_inside",
        "norm_ratio",
        "changed_share",
    ]
    grouped = average_sides(spectra).groupby(keys)
    summary = grouped[means].mean()
    summary.insert(1, "relative_sigma_shift_median", grouped["relative_sigma_shift"].median())
    counts = grouped[["tensor", "seed"]].nunique().rename(columns={"tensor": "tensors", "seed": "seeds"})
    summary = summary.join(counts).reset_index()
    roles = selected.groupby("step")["role"].agg(lambda names: ", ".join(dict.fromkeys(names)))
    summary.insert(2, "role", summary["step"].map(roles).fillna(""))
    return summary
