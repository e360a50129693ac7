"""Plotly figures of the page: each is drawn from one long table, which is also its download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

# Okabe–Ito colours, told apart by colour-blind readers, but for black, which a dark ground swallows; symbols and dashes
# differ as well.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C", "#8A6FBF")
SYMBOLS = ("circle", "diamond", "square", "x", "triangle-up", "triangle-down", "star", "cross", "hexagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
PLOT_CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}
PANEL_HEIGHT_PIXELS, ROW_HEIGHT_PIXELS = 300, 30
TITLE_PIXELS, AXIS_PIXELS, LEGEND_ROW_PIXELS = 40, 65, 20
LEGEND_ROW_CHARACTERS = 80
PERCENT = ".0%"
MANY_POINTS = 30
"""Lines of more points are drawn without markers."""


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page.

    Attributes:
        key: Its id on the page and the name of its download.
        title: Its heading.
        caption: What it shows, in a sentence or two.
        table: Columns ``panel``, ``series``, ``x``, ``y``, ``low``, ``high`` (the last two may be empty) and ``note``,
            which shows when hovering.
        x_title: Title of the abscissae, with the unit.
        y_title: Title of the ordinates, with the unit.
        mode: ``lines`` joins the points of a series, ``points`` does not, ``bars`` stacks them in rows.
        log_x: Whether abscissae are logarithmic.
        log_y: Whether ordinates are.
        categories: Whether abscissae are names, in the order of the table.
        own_y: Whether each panel has ordinates of its own.
        x_format: How abscissae are written, as D3 has it; empty for Plotly's choice.
        y_format: How ordinates are.
        unjoined: Series whose points are not joined, whatever the mode.
        sideways: Whether ``x`` and ``y`` change places: names that are many or long are then read from the side.
    """

    key: str
    title: str
    caption: str
    table: pd.DataFrame
    x_title: str
    y_title: str
    mode: str = "lines"
    log_x: bool = False
    log_y: bool = False
    categories: bool = False
    own_y: bool = False
    x_format: str = ""
    y_format: str = ""
    unjoined: Sequence[str] = ()
    sideways: bool = False


def render_figure(figure: PageFigure) -> str:
    """Render a figure as HTML without Plotly's own script, the same bytes for the same figure.

    Raises:
        ValueError: If its table is empty.
    """
    from plotly.subplots import make_subplots

    if figure.table.empty:
        raise ValueError(f"figure '{figure.key}': its table has no rows")
    panels = list(dict.fromkeys(figure.table["panel"]))
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    drawn = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=panels if len(panels) > 1 else None,
        shared_yaxes=False if figure.own_y else "all",
        horizontal_spacing=0.06,
        vertical_spacing=0.16 if rows > 1 else 0,
    )
    styles = _choose_styles(list(dict.fromkeys(figure.table["series"])))
    shown: set[str] = set()
    for place, panel in enumerate(panels):
        rows_of_panel = figure.table[figure.table["panel"] == panel]
        for series, points in rows_of_panel.groupby("series", sort=False):
            trace = _build_trace(figure, str(series), points, styles[str(series)], legend=series not in shown)
            shown.add(str(series))
            drawn.add_trace(trace, row=place // columns + 1, col=place % columns + 1)
    _lay_out(drawn, figure, rows)
    return str(drawn.to_html(include_plotlyjs=False, full_html=False, div_id=f"plot-{figure.key}", config=PLOT_CONFIG))


def _choose_styles(series: Sequence[str]) -> dict[str, dict[str, str]]:
    return {
        name: {
            "colour": COLOURS[place % len(COLOURS)],
            "symbol": SYMBOLS[place % len(SYMBOLS)],
            "dash": DASHES[(place // len(COLOURS) + place) % len(DASHES)],
        }
        for place, name in enumerate(series)
    }


def _build_trace(
    figure: PageFigure, series: str, points: pd.DataFrame, style: Mapping[str, str], *, legend: bool
) -> Any:
    """Build one series of one panel."""
    import plotly.graph_objects as go

    shared: dict[str, Any] = {
        "name": series,
        "legendgroup": series,
        "showlegend": legend,
        "text": points["note"].tolist(),
    }
    x, y = points["x"].tolist(), points["y"].tolist()
    if figure.mode == "bars":
        return go.Bar(
            **shared,
            x=y,
            y=x,
            orientation="h",
            textposition="none",
            hovertemplate="%{y}: %{text}<extra>%{fullData.name}</extra>",
            marker={"color": style["colour"], "pattern": {"shape": PATTERNS[style["colour"]]}},
        )
    across, along = (y, x) if figure.sideways else (x, y)
    return go.Scatter(
        **shared,
        x=across,
        y=along,
        hovertemplate=_write_hover(figure),
        mode="markers" if figure.mode == "points" or series in figure.unjoined else _join(points),
        line={"color": style["colour"], "dash": style["dash"], "width": 1.5},
        marker={"color": style["colour"], "symbol": style["symbol"], "size": 7},
        **{"error_x" if figure.sideways else "error_y": _measure_bars(points)},
    )


def _measure_bars(points: pd.DataFrame) -> dict[str, Any] | None:
    """Lay out the intervals of a series; None where it has none."""
    if not points[["low", "high"]].notna().all(axis=None):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": (points["high"] - points["y"]).tolist(),
        "arrayminus": (points["y"] - points["low"]).tolist(),
        "thickness": 1,
        "width": 2,
    }


def _join(points: pd.DataFrame) -> str:
    return "lines" if len(points) > MANY_POINTS else "lines+markers"


def _write_hover(figure: PageFigure) -> str:
    """Write what hovering shows: the note, then place and value, and the series."""
    if figure.sideways:
        return "%{text}<br>%{y}: %{x:.3g}<extra>%{fullData.name}</extra>"
    x, y = (":.2%" if "%" in given else other for given, other in ((figure.x_format, ""), (figure.y_format, ":.4g")))
    return f"%{{text}}<br>%{{x{x}}}, %{{y{y}}}<extra>%{{fullData.name}}</extra>"


# Bars also differ by pattern, for print and for readers who do not see colour.
PATTERNS = dict(zip(COLOURS, ("", "/", "\\", "x", "-", "|", "+", "."), strict=True))


def _lay_out(drawn: Any, figure: PageFigure, rows: int) -> None:
    """Set sizes, axes and legend; colours of text and ground follow the page's."""
    height, legend = _measure_heights(figure, rows)
    below = -AXIS_PIXELS / (height - AXIS_PIXELS - TITLE_PIXELS)  # in heights of the panels
    drawn.update_layout(
        height=height + legend,
        margin={"l": 55, "r": 15, "t": TITLE_PIXELS, "b": AXIS_PIXELS + legend},
        barmode="stack",
        template="plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#777777"},
        legend={"orientation": "h", "yanchor": "top", "y": below, "x": 0},
    )
    faint = {"gridcolor": "rgba(128,128,128,.25)", "zerolinecolor": "rgba(128,128,128,.5)", "zerolinewidth": 1}
    drawn.update_xaxes(faint, type="log" if figure.log_x else None, tickformat=figure.x_format or None)
    drawn.update_yaxes(faint, type="log" if figure.log_y else None, tickformat=figure.y_format or None)
    # Shares are not negative, even where all are 0 and Plotly would put them in the middle.
    drawn.update_xaxes(rangemode="nonnegative" if figure.x_format == PERCENT else None)
    drawn.update_yaxes(rangemode="nonnegative" if figure.y_format == PERCENT else None)
    if figure.mode == "bars" or figure.sideways:
        drawn.update_yaxes(type="category", autorange="reversed", automargin=True)
    elif figure.categories:
        drawn.update_xaxes(type="category")
    x_title, y_title = (figure.y_title, figure.x_title) if figure.sideways else (figure.x_title, figure.y_title)
    drawn.update_xaxes(title_text=x_title, row=rows)
    drawn.update_yaxes(title_text=y_title, col=1)


def _measure_heights(figure: PageFigure, rows: int) -> tuple[int, int]:
    """Return the height of the panels with their axes, and that of the legend below them, in pixels."""
    panel = PANEL_HEIGHT_PIXELS
    if figure.sideways:
        panel = max(panel, ROW_HEIGHT_PIXELS * figure.table["x"].nunique())
    characters = sum(len(str(series)) + 6 for series in figure.table["series"].unique())
    return panel * rows + AXIS_PIXELS + TITLE_PIXELS, LEGEND_ROW_PIXELS * -(-characters // LEGEND_ROW_CHARACTERS)
