"""Tables behind the page's figures of weights: rotation and shift of singular values, by index and depth."""

from __future__ import annotations

import pandas as pd

from card24_pipeline.reporting.html_figures import PageFigure
from card24_pipeline.reporting.html_training import LONG_COLUMNS
from card24_pipeline.reporting.spectra_ends import measure_rotation
from card24_pipeline.reporting.spectra_figures import MODEL_STYLES, PARTS, bin_positions
from card24_pipeline.reporting.spectra_summary import BASE_TO_END, average_sides, pick_change

SIDES = ("left", "right")
BAND_NOTE = "Means over matrices and seeds; bars run from quartile to quartile."


def show_rotation(by_index: pd.DataFrame, selected: pd.DataFrame) -> PageFigure:
    """Show how far singular vectors turn from the base to End, by place in the spectrum, beside the null models."""
    indices = bin_positions(pick_change(by_index, selected, BASE_TO_END))
    parts = [
        _average(
            indices[indices["part"] == part].assign(y=measure_rotation(indices[f"{side}_cosine"])), "place"
        ).assign(panel=f"{side} vectors, {title}")
        for side in SIDES
        for part, title in PARTS.items()
    ]
    return PageFigure(
        "rotation",
        "Rotation by place in the spectrum",
        f"Angle between a singular vector of the base and of End. Nearly equal singular values turn under any noise, "
        f"so the null models matter: a Gaussian ΔW of equal norm, and one with the same singular values. {BAND_NOTE}",
        pd.concat(parts)[LONG_COLUMNS],
        "position (0 = largest singular value)",
        "degrees",
    )


def show_sigma(by_index: pd.DataFrame, selected: pd.DataFrame) -> PageFigure:
    """Show by how much singular values shift from the base to End, by place in the spectrum."""
    indices = bin_positions(pick_change(by_index, selected, BASE_TO_END))
    parts = [
        _average(indices[indices["part"] == part].rename(columns={"relative_sigma_shift": "y"}), "place").assign(
            panel=title
        )
        for part, title in PARTS.items()
    ]
    return PageFigure(
        "sigma",
        "Shift of singular values",
        f"|σ′ − σ| / σ from the base to End. {BAND_NOTE}",
        pd.concat(parts)[LONG_COLUMNS],
        "position (0 = largest singular value)",
        "relative shift",
        log_y=True,
        y_format="~%",
    )


def show_depth(spectra: pd.DataFrame, selected: pd.DataFrame, *, fraction: float) -> PageFigure:
    """Show how far the top subspaces turn from the base to End, by layer, beside the null models."""
    top = average_sides(spectra[(spectra["band"] == "top") & (spectra["fraction"] == fraction)])
    changed = pick_change(top, selected, BASE_TO_END).rename(columns={"angle_degrees": "y"})
    parts = [_average(changed[changed["part"] == part], "layer").assign(panel=title) for part, title in PARTS.items()]
    return PageFigure(
        "depth",
        "Rotation by depth",
        f"Mean principal angle of the subspaces of the top {fraction:.0%} singular directions, base to End. "
        f"{BAND_NOTE}",
        pd.concat(parts)[LONG_COLUMNS],
        "layer",
        "degrees",
        categories=True,
    )


def _average(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Average ``y`` by model and place, with quartiles, models in the order of ``MODEL_STYLES``."""
    grouped = rows.groupby(["model", place])["y"]
    table = pd.DataFrame({"y": grouped.mean(), "low": grouped.quantile(0.25), "high": grouped.quantile(0.75)})
    table = table.reset_index().rename(columns={place: "x"})
    order = {model: number for number, model in enumerate(MODEL_STYLES)}
    table = table.sort_values(
        ["model", "x"], key=lambda column: column.map(order) if column.name == "model" else column
    )
    # A mean may lie beyond a quartile; bars must not be negative.
    table["low"], table["high"] = table[["low", "y"]].min(axis=1), table[["high", "y"]].max(axis=1)
    return table.assign(series=[MODEL_STYLES[model][0] for model in table["model"]], note="")
