"""A figure, described once: drawn by Matplotlib for files and by Plotly for the page, and downloaded as its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from card24_pipeline.study.vocabulary import Style, style_series

COLUMNS = ["panel", "series", "x", "y", "low", "high", "note"]
PERCENT = ".0%"
"""How D3, and Python, write a share."""

MANY_POINTS = 30
"""Lines of more points are drawn without markers."""


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        key: Its id on the page and the name of its files.
        title: Its heading.
        caption: What it shows, in a sentence or two.
        table: ``COLUMNS``: ``low`` and ``high`` may be empty, ``note`` shows when hovering.
        x_title: Title of the abscissae, with the unit.
        y_title: Title of the ordinates, with the unit.
        mode: ``lines`` joins the points of a series, ``points`` does not, ``bars`` stacks them in rows.
        log_x: Whether abscissae are logarithmic.
        log_y: Whether ordinates are.
        categories: Whether abscissae are names, in the order of the table.
        own_y: Whether each panel has ordinates of its own.
        x_format: How abscissae are written, as D3 has it; empty for the renderer's choice.
        y_format: How ordinates are.
        unjoined: Series whose points are not joined, whatever the mode.
        labelled: Series that are named at their last point and not in the legend, and drawn bold.
        parts: Series that are drawn thin, without markers or a name, as parts of another: that other by the series.
        sideways: Whether ``x`` and ``y`` change places: names that are many or long are then read from the side.
    """

    key: str
    title: str
    caption: str
    table: pd.DataFrame
    x_title: str
    y_title: str
    mode: Literal["lines", "points", "bars"] = "lines"
    log_x: bool = False
    log_y: bool = False
    categories: bool = False
    own_y: bool = False
    x_format: str = ""
    y_format: str = ""
    unjoined: Sequence[str] = ()
    labelled: Sequence[str] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    sideways: bool = False

    @property
    def panels(self) -> list[str]:
        """Names of the panels, in order."""
        return list(dict.fromkeys(self.table["panel"]))

    @property
    def series(self) -> list[str]:
        """Names of the series, in order."""
        return list(dict.fromkeys(self.table["series"]))

    @property
    def places(self) -> list[str]:
        """Abscissae that are names, in order."""
        return list(dict.fromkeys(self.table["x"]))

    def joins(self, series: str) -> bool:
        """Tell whether a series' points are joined."""
        return self.mode == "lines" and series not in self.unjoined

    @property
    def styles(self) -> dict[str, Style]:
        """How each series is drawn: a part as the whole."""
        styles = style_series(name for name in self.series if name not in self.parts)
        return styles | {name: styles[self.parts[name]] for name in self.series if name in self.parts}

    def place_labels(self, panel: str, gap: float) -> list[tuple[str, float, float, float]]:
        """Place the names of ``labelled`` series beside their last points, apart from each other.

        Args:
            panel: The panel.
            gap: Least distance of two names as a share of the panel's ordinates.

        Returns:
            Name, abscissa and ordinate of the point, and ordinate of the name, from below.
        """
        shown = self.table[self.table["panel"] == panel]
        reach = gap * float(shown["y"].max() - min(0.0, shown["y"].min()))
        last = shown[shown["series"].isin(self.labelled)].groupby("series", sort=False).tail(1).sort_values("y")
        placed: list[tuple[str, float, float, float]] = []
        for name, x, y in zip(last["series"], last["x"], last["y"], strict=True):
            least = placed[-1][3] + reach if placed else y
            placed.append((str(name), float(x), float(y), max(float(y), least)))
        return placed

    def has_bars(self, points: pd.DataFrame) -> bool:
        """Tell whether points have intervals."""
        return bool(points[["low", "high"]].notna().all(axis=None))


def make_table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Make a figure's table, with empty bounds and notes where rows have none."""
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    return table.astype({"low": "float64", "high": "float64"}).fillna({"note": ""})
