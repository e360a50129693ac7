"""Figures of the report on spectra."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from typing import TYPE_CHECKING

import pandas as pd

from card24_pipeline.reporting.spectra_ends import measure_rotation
from card24_pipeline.reporting.spectra_summary import (
    BASE_TO_END,
    GAUSSIAN,
    MATCHED,
    NULLS,
    OBSERVED,
    WHOLE,
    average_sides,
    pick_change,
)
from card24_pipeline.reporting.spectra_verdicts import NULL_TITLES, SIGMA_BOUND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe–Ito colours, told apart by colour-blind readers; markers and dashes differ as well.
MODEL_STYLES = {
    OBSERVED: ("observed", "#D55E00", "o", "-"),
    GAUSSIAN: ("null: Gaussian", "#0072B2", "s", "--"),
    MATCHED: ("null: spectrum-matched", "#009E73", "^", ":"),
}
KIND_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#555555")
KIND_MARKERS = "osD^vPX"
KIND_DASHES = ("-", "--", "-.")
PARTS = {"attention": "attention", "mlp": "MLP"}
POSITION_BINS = 20


def draw_rotation(by_index: pd.DataFrame, selected: pd.DataFrame) -> Figure:
    """Draw the rotation of singular vectors from the base to End against their place in the spectrum.

    Args:
        by_index: One row per seed, pair, step, tensor, model and index.
        selected: Columns ``seed``, ``role``, ``step``.

    Returns:
        A figure of four panels, left and right vectors by attention and MLP: means over matrices and seeds in
        ``POSITION_BINS`` bins of position, with bands from quartile to quartile.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    indices = bin_positions(pick_change(by_index, selected, BASE_TO_END))
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    for row, side in zip(panels, ("left", "right"), strict=True):
        turned = indices.assign(degrees=measure_rotation(indices[f"{side}_cosine"]))
        for axes, (part, title) in zip(row, PARTS.items(), strict=True):
            _draw_models(axes, turned[turned["part"] == part], "place", "degrees")
            axes.set_title(f"{side} singular vectors, {title}")
            axes.set_ylim(0, 90)
            axes.grid(alpha=0.25)
        row[0].set_ylabel("rotation (degrees)")
    for axes in panels[1]:
        axes.set_xlabel("position (0 = largest singular value)")
    _explain_lines(figure)
    return figure


def draw_sigma_shift(spectra: pd.DataFrame, by_index: pd.DataFrame, selected: pd.DataFrame) -> Figure:
    """Draw the relative shift of singular values: to End along the spectrum, and its growth over SFT.

    Args:
        spectra: One row per seed, pair, step, tensor, model, draw, band and fraction.
        by_index: One row per seed, pair, step, tensor, model and index.
        selected: Columns ``seed``, ``role``, ``step``.

    Returns:
        A figure of two panels with logarithmic ordinates: means over matrices and seeds, with bands from quartile to
        quartile, and the bound of the claim.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_models(left, bin_positions(pick_change(by_index, selected, BASE_TO_END)), "place", "relative_sigma_shift")
    left.set_title("From the base to End, by index")
    left.set_xlabel("position (0 = largest singular value)")
    left.set_ylabel("|σ' − σ| / σ")
    tuned = spectra[(spectra["pair"] == BASE_TO_END.pair) & (spectra["band"] == WHOLE)]
    _draw_models(right, _place_steps(right, tuned), "place", "relative_sigma_shift")
    right.set_title("Medians of the matrices, by SFT step")
    for axes in (left, right):
        axes.axhline(SIGMA_BOUND, color="black", linewidth=0.8, linestyle=(0, (1, 3)))
        axes.set_yscale("log")
        axes.grid(alpha=0.25)
    _explain_lines(figure)
    return figure


def draw_depth(spectra: pd.DataFrame, selected: pd.DataFrame, *, fraction: float) -> Figure:
    """Draw how far the top subspaces turn, by kind of matrix and layer.

    Args:
        spectra: One row per seed, pair, step, tensor, model, draw, band and fraction.
        selected: Columns ``seed``, ``role``, ``step``.
        fraction: Size of the top band.

    Returns:
        A figure of four panels, one line for each kind of matrix: the observed angle from the base by SFT step, that
        at End by layer, and the latter less the mean of either null.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(11, 7.5), layout="constrained")
    by_step, by_layer, *excesses = figure.subplots(2, 2).flat
    top = average_sides(spectra[(spectra["band"] == "top") & (spectra["fraction"] == fraction)])
    tuned = top[(top["pair"] == BASE_TO_END.pair) & (top["model"] == OBSERVED)]
    kinds = sorted(top["kind"].unique())
    _draw_kinds(by_step, _place_steps(by_step, tuned), "place", "angle_degrees", kinds)
    by_step.set_title(f"Angle of the top {fraction:.0%} from the base")
    final = pick_change(top, selected, BASE_TO_END)
    keys = ["seed", "tensor", "kind", "layer"]
    angles = {model: final[final["model"] == model].groupby(keys)["angle_degrees"].mean() for model in MODEL_STYLES}
    _draw_kinds(by_layer, angles[OBSERVED].reset_index(), "layer", "angle_degrees", kinds)
    by_layer.set_title("… at End")
    for axes, null in zip(excesses, NULLS, strict=True):
        over = (angles[OBSERVED] - angles[null]).dropna().reset_index()
        _draw_kinds(axes, over, "layer", "angle_degrees", kinds)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_title(f"… at End, less the {NULL_TITLES[null]} null")
    for axes in (by_layer, *excesses):
        axes.set_xlabel("layer")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in figure.axes:
        axes.set_ylabel("degrees")
        axes.grid(alpha=0.25)
    _explain_lines(figure)
    return figure


def bin_positions(indices: pd.DataFrame) -> pd.DataFrame:
    """Add ``place``, the middle of the bin that an index's position falls into."""
    bins = (indices["position"] * POSITION_BINS).astype(int).clip(upper=POSITION_BINS - 1)
    return indices.assign(place=(bins + 0.5) / POSITION_BINS)


def _place_steps(axes: Axes, table: pd.DataFrame) -> pd.DataFrame:
    """Add ``place``, where an SFT step lies on the axis."""
    steps = sorted(table["step"].unique())
    # Checkpoints lie about log-spaced, so their places, one beside the other, read best.
    axes.set_xticks(range(len(steps)), [str(step) for step in steps])
    axes.set_xlabel("SFT step")
    return table.assign(place=table["step"].map({step: place for place, step in enumerate(steps)}))


def _draw_models(axes: Axes, table: pd.DataFrame, across: str, column: str) -> None:
    """Draw each model's mean over matrices and seeds, and the band from quartile to quartile."""
    for model, (label, colour, marker, dash) in MODEL_STYLES.items():
        chosen = table[table["model"] == model]
        if chosen.empty:
            continue
        matrices = chosen.groupby([across, "seed", "tensor"])[column].mean().groupby(across)
        means, low, high = matrices.mean(), matrices.quantile(0.25), matrices.quantile(0.75)
        axes.fill_between(means.index, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(means.index, means, color=colour, marker=marker, markersize=4, linestyle=dash, label=label)


def _draw_kinds(axes: Axes, table: pd.DataFrame, across: str, column: str, kinds: Iterable[str]) -> None:
    """Draw each kind's mean over its matrices and seeds."""
    for kind, colour, marker, dash in zip(
        kinds, cycle(KIND_COLOURS), cycle(KIND_MARKERS), cycle(KIND_DASHES), strict=False
    ):
        means = table[table["kind"] == kind].groupby(across)[column].mean()
        axes.plot(means.index, means, color=colour, marker=marker, markersize=4, linestyle=dash, label=kind)


def _explain_lines(figure: Figure) -> None:
    """Put a legend of the first panel that has lines to explain below all panels."""
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
            return
