"""Figures for the page, drawn by Plotly, the same bytes for the same figure."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.page.figure import MANY_POINTS, PERCENT, Figure
from card24_pipeline.study.vocabulary import COLOURS, Style

SYMBOLS = {
    "o": "circle", "D": "diamond", "s": "square", "^": "triangle-up", "v": "triangle-down", "X": "x", "*": "star",
    "P": "cross", "h": "hexagon",
}  # fmt: skip
DASHES = {"-": "solid", "--": "dash", ":": "dot", "-.": "dashdot"}
# Bars also differ by pattern, for print and for readers who do not see colour.
PATTERNS = dict(zip(COLOURS, ("", "/", "\\", "x", "-", "|", "+", "."), strict=True))
PLOT_CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}
PANEL_HEIGHT_PIXELS, ROW_HEIGHT_PIXELS = 300, 30
TITLE_PIXELS, AXIS_PIXELS, LEGEND_ROW_PIXELS = 40, 65, 20
LEGEND_ROW_CHARACTERS = 80
LABEL_GAP = 0.07  # of the panel's height


def render_figure(figure: Figure) -> str:
    """Render a figure as HTML without Plotly's own script.

    Raises:
        ValueError: If its table is empty.
    """
    from plotly.subplots import make_subplots

    if figure.table.empty:
        raise ValueError(f"figure '{figure.key}': its table has no rows")
    panels = figure.panels
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
    styles, shown = figure.styles, {*figure.labelled, *figure.parts}
    for place, panel in enumerate(panels):
        for name, points in figure.table[figure.table["panel"] == panel].groupby("series", sort=False):
            series = str(name)
            trace = _build_trace(figure, series, points, styles[series], legend=series not in shown)
            shown.add(series)
            drawn.add_trace(trace, row=place // columns + 1, col=place % columns + 1)
        for name, x, _, height in figure.place_labels(panel, LABEL_GAP):
            # The page gives text its own colour, but for what has a style inside it.
            text = f'<b style="color:{styles[name].colour}">{name}</b>'
            drawn.add_annotation(
                x=x, y=height, text=text, showarrow=False, xanchor="left", xshift=8, row=place // columns + 1,
                col=place % columns + 1,
            )  # fmt: skip
    _lay_out(drawn, figure, rows)
    return str(drawn.to_html(include_plotlyjs=False, full_html=False, div_id=f"plot-{figure.key}", config=PLOT_CONFIG))


def _build_trace(figure: Figure, series: str, points: pd.DataFrame, style: Style, *, legend: bool) -> Any:
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
            marker={"color": style.colour, "pattern": {"shape": PATTERNS[style.colour]}},
        )
    across, along = (y, x) if figure.sideways else (x, y)
    bold, part, mark = series in figure.labelled, series in figure.parts, figure.labelled and not figure.joins(series)
    lines = "lines" if len(points) > MANY_POINTS or part else "lines+markers"
    return go.Scatter(
        **shared,
        x=across,
        y=along,
        hovertemplate=_write_hover(figure),
        mode=lines if figure.joins(series) else "markers",
        line={"color": style.colour, "dash": DASHES[style.dash], "width": 0.8 if part else 2.5 if bold else 1.5},
        opacity=0.55 if part else 1.0,
        marker={"color": style.colour, "symbol": SYMBOLS[style.marker], "size": 11 if mark else 7},
        **{"error_x" if figure.sideways else "error_y": _measure_bars(points) if figure.has_bars(points) else None},
    )


def _measure_bars(points: pd.DataFrame) -> dict[str, Any]:
    """Lay out the intervals of a series."""
    array, minus = (points["high"] - points["y"]).tolist(), (points["y"] - points["low"]).tolist()
    return {"type": "data", "symmetric": False, "array": array, "arrayminus": minus, "thickness": 1, "width": 2}


def _write_hover(figure: Figure) -> str:
    """Write what hovering shows: the note, then place and value, and the series."""
    if figure.sideways:
        return "%{text}<br>%{y}: %{x:.3g}<extra>%{fullData.name}</extra>"
    x, y = (":.2%" if "%" in given else other for given, other in ((figure.x_format, ""), (figure.y_format, ":.4g")))
    return f"%{{text}}<br>%{{x{x}}}, %{{y{y}}}<extra>%{{fullData.name}}</extra>"


def _lay_out(drawn: Any, figure: Figure, rows: int) -> None:
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
    for update, log, written in (
        (drawn.update_xaxes, figure.log_x, figure.x_format),
        (drawn.update_yaxes, figure.log_y, figure.y_format),
    ):
        # Shares are not negative, even where all are 0 and Plotly would put them in the middle.
        reach = "nonnegative" if written == PERCENT else None
        update(faint, type="log" if log else None, tickformat=written or None, rangemode=reach)
    if figure.mode == "bars" or figure.sideways:
        drawn.update_yaxes(type="category", autorange="reversed", automargin=True)
    elif figure.categories:
        drawn.update_xaxes(type="category")
    x_title, y_title = (figure.y_title, figure.x_title) if figure.sideways else (figure.x_title, figure.y_title)
    drawn.update_xaxes(title_text=x_title, row=rows)
    drawn.update_yaxes(title_text=y_title, col=1)


def _measure_heights(figure: Figure, rows: int) -> tuple[int, int]:
    """Return the height of the panels with their axes, and that of the legend below them, in pixels."""
    tall = ROW_HEIGHT_PIXELS * len(figure.places) if figure.sideways else 0
    named = [series for series in figure.series if series not in {*figure.labelled, *figure.parts}]
    characters = sum(len(series) + 6 for series in named)
    legend = LEGEND_ROW_PIXELS * -(-characters // LEGEND_ROW_CHARACTERS)
    return max(PANEL_HEIGHT_PIXELS, tall) * rows + AXIS_PIXELS + TITLE_PIXELS, legend
