"""Figures of weights: rotation and shift of singular values, by index and depth."""

from __future__ import annotations

import pandas as pd

from card24_pipeline.findings.changes import BAND_FRACTION, average_sides, measure_rotation
from card24_pipeline.page.figure import COLUMNS, Figure
from card24_pipeline.study.vocabulary import CHANGE_MODEL_TITLES, CHANGE_MODELS

PARTS = {"attention": "attention", "mlp": "MLP"}
POSITION_BINS = 20
BAND_NOTE = "Means over matrices and replicates; bars run from quartile to quartile."


def show_rotation(indices: pd.DataFrame) -> Figure:
    """Show how far singular vectors turn, by place in the spectrum, beside the null models.

    Args:
        indices: Rows of one change by index.
    """
    placed = _bin_positions(indices)
    parts = [
        _average(placed[placed["part"] == part].assign(y=measure_rotation(placed[f"{side}_cosine"])), "place").assign(
            panel=f"{side} vectors, {title}"
        )
        for side in ("left", "right")
        for part, title in PARTS.items()
    ]
    return Figure(
        "spectra_rotation",
        "Rotation by place in the spectrum",
        f"Angle between a singular vector of the base and of End. Nearly equal singular values turn under any noise, "
        f"so the null models matter: a Gaussian ΔW of equal norm, and one with the same singular values. {BAND_NOTE}",
        pd.concat(parts)[COLUMNS],
        "position (0 = largest singular value)",
        "degrees",
    )


def show_sigma(indices: pd.DataFrame) -> Figure:
    """Show by how much singular values shift, by place in the spectrum."""
    placed = _bin_positions(indices).rename(columns={"relative_sigma_shift": "y"})
    parts = [_average(placed[placed["part"] == part], "place").assign(panel=title) for part, title in PARTS.items()]
    return Figure(
        "spectra_sigma",
        "Shift of singular values",
        f"|σ′ − σ| / σ from the base to End. {BAND_NOTE}",
        pd.concat(parts)[COLUMNS],
        "position (0 = largest singular value)",
        "relative shift",
        log_y=True,
        y_format="~%",
    )


def show_depth(bands: pd.DataFrame) -> Figure:
    """Show how far the top subspaces turn, by layer, beside the null models.

    Args:
        bands: Rows of one change by band.
    """
    top = average_sides(bands[(bands["band"] == "top") & (bands["fraction"] == BAND_FRACTION)])
    turned = top.rename(columns={"angle_degrees": "y"})
    parts = [_average(turned[turned["part"] == part], "layer").assign(panel=title) for part, title in PARTS.items()]
    return Figure(
        "spectra_depth",
        "Rotation by depth",
        f"Mean principal angle of the top {BAND_FRACTION:.0%} singular subspaces, base to End. {BAND_NOTE}",
        pd.concat(parts)[COLUMNS],
        "layer",
        "degrees",
        categories=True,
    )


def _bin_positions(indices: pd.DataFrame) -> pd.DataFrame:
    """Add ``place``, the middle of the bin that an index's position falls into."""
    bins = (indices["position"] * POSITION_BINS).astype(int).clip(upper=POSITION_BINS - 1)
    return indices.assign(place=(bins + 0.5) / POSITION_BINS)


def _average(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Average ``y`` over matrices and replicates by model and place, with quartiles."""
    grouped = rows.groupby(["model", place])["y"]
    table = pd.DataFrame({"y": grouped.mean(), "low": grouped.quantile(0.25), "high": grouped.quantile(0.75)})
    table = table.reset_index().rename(columns={place: "x"})
    table = table.sort_values("model", key=lambda models: models.map(CHANGE_MODELS.index), kind="stable")
    # A mean may lie beyond a quartile; bars must not be negative.
    table["low"], table["high"] = table[["low", "y"]].min(axis=1), table[["high", "y"]].max(axis=1)
    return table.assign(series=table["model"].map(CHANGE_MODEL_TITLES), note="")
