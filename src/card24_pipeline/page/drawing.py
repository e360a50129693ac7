"""Figures as images, drawn by Matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from card24_pipeline.page.figure import MANY_POINTS, PERCENT, Figure
from card24_pipeline.study.vocabulary import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

PANEL_WIDTH, PANEL_HEIGHT, ROW_HEIGHT = 6.0, 4.0, 0.32  # inches
LEGEND_COLUMNS = 2  # to a column of panels
LABEL_GAP = 0.05  # of the panel's height
HATCHES = ("", "//", "\\\\", "xx", "--", "||", "++")


def draw_figure(figure: Figure) -> Drawing:
    """Draw a figure: its panels in two columns, one legend below.

    Raises:
        ValueError: If its table is empty.
    """
    from matplotlib.figure import Figure as Drawing

    if figure.table.empty:
        raise ValueError(f"figure '{figure.key}': its table has no rows")
    columns = min(2, len(figure.panels))
    rows = -(-len(figure.panels) // columns)
    tall = figure.sideways or figure.mode == "bars"
    height = max(PANEL_HEIGHT, ROW_HEIGHT * len(figure.places)) if tall else PANEL_HEIGHT
    drawing = Drawing(figsize=(PANEL_WIDTH * columns, height * rows + 0.8), layout="constrained")
    grid = drawing.subplots(rows, columns, squeeze=False, sharey=not figure.own_y, sharex=not tall)
    styles = figure.styles
    for axes, panel in zip(grid.flat, figure.panels, strict=False):
        _draw_panel(axes, figure, figure.table[figure.table["panel"] == panel], styles)
        axes.set_title(panel if len(figure.panels) > 1 else figure.title)
        _write_labels(axes, figure, panel, styles)
    for axes in list(grid.flat)[: len(figure.panels)]:
        _set_scales(axes, figure)  # once all is drawn: panels may share their limits
    for axes in list(grid.flat)[len(figure.panels) :]:
        axes.remove()
    handles: dict[str, Any] = {}
    for axes in drawing.axes:
        handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    drawing.legend(
        list(handles.values()),
        list(handles),
        loc="outside lower center",
        ncols=LEGEND_COLUMNS * columns,
        frameon=False,
        fontsize=9,
    )
    return drawing


def _draw_panel(axes: Axes, figure: Figure, table: pd.DataFrame, styles: dict[str, Style]) -> None:
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    if figure.mode == "bars":
        _draw_bars(axes, figure, table, styles)
    else:
        for series, points in table.groupby("series", sort=False):
            _draw_series(axes, figure, str(series), points, styles[str(series)])
    x_title, y_title = (figure.y_title, figure.x_title) if figure.sideways else (figure.x_title, figure.y_title)
    axes.set_xlabel(x_title)
    if axes.get_subplotspec().is_first_col():  # type: ignore[union-attr]
        axes.set_ylabel(y_title)


def _draw_series(axes: Axes, figure: Figure, series: str, points: pd.DataFrame, style: Style) -> None:
    joined, many = figure.joins(series), len(points) > MANY_POINTS
    names = {name: place for place, name in enumerate(figure.places)}
    bold, part = series in figure.labelled, series in figure.parts
    at = points["x"]
    if figure.categories or figure.sideways:
        # Points that are not joined stand beside each other.
        beside = 0.0 if joined else 0.15 * (figure.series.index(series) - (len(figure.series) - 1) / 2)
        at = at.map(names) + beside
    bars = [points["y"] - points["low"], points["high"] - points["y"]] if figure.has_bars(points) else None
    across, along = (points["y"], at) if figure.sideways else (at, points["y"])
    axes.errorbar(
        across,
        along,
        xerr=bars if figure.sideways else None,
        yerr=None if figure.sideways else bars,
        color=style.colour,
        linestyle=style.dash if joined else "none",
        marker="" if (many and joined) or part else style.marker,
        markersize=9 if figure.labelled and not joined else 5,
        linewidth=0.7 if part else 2.4 if bold else 1.4,
        alpha=0.55 if part else 1.0,
        elinewidth=0.8,
        capsize=2,
        zorder=2 if part else 4 if figure.labelled and not joined else 3,
        label="" if bold or part else series,
    )


def _write_labels(axes: Axes, figure: Figure, panel: str, styles: dict[str, Style]) -> None:
    """Write the names of series beside their last points."""
    for name, x, _, height in figure.place_labels(panel, LABEL_GAP):
        axes.annotate(
            name, (x, height), xytext=(8, 0), textcoords="offset points", color=styles[name].colour, fontsize=9,
            fontweight="bold", va="center", annotation_clip=False,
        )  # fmt: skip


def _draw_bars(axes: Axes, figure: Figure, table: pd.DataFrame, styles: dict[str, Style]) -> None:
    left = dict.fromkeys(figure.places, 0.0)
    for number, (series, points) in enumerate(table.groupby("series", sort=False)):
        values = dict(zip(points["x"], points["y"], strict=True))
        widths = [float(values.get(place, 0.0)) for place in left]
        axes.barh(
            list(left), widths, left=list(left.values()), color=styles[str(series)].colour, hatch=HATCHES[number % 7],
            edgecolor="white", linewidth=0, label=str(series),
        )  # fmt: skip
        left = {place: start + width for (place, start), width in zip(left.items(), widths, strict=True)}


def _set_scales(axes: Axes, figure: Figure) -> None:
    from matplotlib.ticker import PercentFormatter

    if figure.log_x:
        axes.set_xscale("log")
    if figure.log_y:
        axes.set_yscale("log")
    if figure.categories and figure.mode != "bars":
        axes.set_xticks(range(len(figure.places)), figure.places)
    if figure.sideways:
        axes.set_yticks(range(len(figure.places)), figure.places)
    if (figure.sideways or figure.mode == "bars") and not axes.yaxis_inverted():
        axes.invert_yaxis()
    for axis, written, reach in (
        (axes.xaxis, figure.x_format, axes.set_xlim),
        (axes.yaxis, figure.y_format, axes.set_ylim),
    ):
        if written == PERCENT:
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
            reach(0, None)
