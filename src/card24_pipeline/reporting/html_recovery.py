"""Tables behind the page's figures of recovery."""

from __future__ import annotations

import pandas as pd

from card24_pipeline.reporting.html_figures import PERCENT, PageFigure
from card24_pipeline.reporting.html_training import LONG_COLUMNS
from card24_pipeline.reporting.recovery_models import (
    BASE,
    CHECKPOINTS,
    MAX_OOD,
    MODEL_TITLES,
    RL_MODELS,
    describe_knob,
    name_family,
)
from card24_pipeline.reporting.tables import read_rows

OTHERS = (*CHECKPOINTS, *RL_MODELS.values())
SPLITS = {"ood": "OOD", "id_seen": "ID, multisets of SFT"}


def show_fractions(points: pd.DataFrame) -> PageFigure:
    """Show pass@1 by the fraction of singular directions that an edit restores."""
    return PageFigure(
        "fractions",
        "By the share of directions restored",
        "Singular directions of the donor put into End, with their controls: random indices, and directions turned at "
        "random.",
        _spread_splits(points[points["method"].str.startswith("uv_")]),
        "share of each matrix's directions",
        "pass@1",
        x_format=PERCENT,
        y_format=PERCENT,
    )


def show_quarters(points: pd.DataFrame) -> PageFigure:
    """Show pass@1 by the quarter of layers that is reset to the donor."""
    table = _spread_splits(points[points["method"] == "layer_reset"])
    return PageFigure(
        "quarters",
        "By depth",
        "A quarter of the layers reset to the donor, with and without the embeddings and the head.",
        table.assign(x=table["x"].astype(int).astype(str)),
        "quarter of layers (1 = first)",
        "pass@1",
        categories=True,
        y_format=PERCENT,
    )


def show_choices(chosen: pd.DataFrame) -> PageFigure:
    """Show every family at its best knob: what it gains on OOD and leaves of ID."""
    parts = []
    for prefix, series in (("chosen", "best knob that keeps ID"), ("any_id", "best knob whatever ID")):
        able = chosen[chosen[f"{prefix}_variant"].fillna("") != ""]
        for split, title in SPLITS.items():
            columns = {
                f"{prefix}_{split}_difference{bound}": name
                for bound, name in (("", "y"), ("_low", "low"), ("_high", "high"))
            }
            drawn = able.rename(columns=columns)
            drawn[["y", "low", "high"]] *= 100
            names = [name_family(family) for family in able["family"]]
            parts.append(drawn.assign(panel=title, series=series, x=names, note=able[f"{prefix}_variant"]))
    return PageFigure(
        "controls",
        "Against the controls",
        "Difference to End in pass@1. Knobs are chosen on `ood_select`; ID is kept if it lies at most a point below "
        "End.",
        pd.concat(parts)[LONG_COLUMNS],
        "",
        "difference to End (points)",
        mode="points",
        sideways=True,
    )


def show_frontier(points: pd.DataFrame) -> PageFigure:
    """Show OOD against ID: a line for each family, joined by its knob."""
    named = points.assign(
        series=[name_family(family) for family in points["family"]],
        x=points["id_seen_pass_at_1"],
        y=points["ood_pass_at_1"],
        low=points["ood_pass_at_1_low"],
        high=points["ood_pass_at_1_high"],
        note=_describe_knobs(points),
    )
    others = named[named["variant"].isin(OTHERS)]
    parts = [
        pd.concat([named[named["donor"] == donor].sort_values(["family", "knob"]), others]).assign(panel=title)
        for donor, title in ((MAX_OOD, "donor MaxOOD"), (BASE, "donor base"))
    ]
    return PageFigure(
        "frontier",
        "What OOD costs in ID",
        "Every edit at every knob, and RL from End. Up and to the right is better. A tap on a name in the legend hides "
        "it.",
        pd.concat(parts)[LONG_COLUMNS],
        "pass@1 on ID (multisets of SFT)",
        "pass@1 on OOD",
        x_format=PERCENT,
        y_format=PERCENT,
    )


def show_costs(points: pd.DataFrame) -> PageFigure:
    """Show recovered OOD against floating-point operations, RL on the same axes."""
    spent = points[points["cost_flops"] > 0]
    table = spent.assign(
        panel="OOD",
        series=[name_family(family) for family in spent["family"]],
        x=spent["cost_flops"],
        y=spent["ood_pass_at_1"],
        low=spent["ood_pass_at_1_low"],
        high=spent["ood_pass_at_1_high"],
        note=_describe_knobs(spent),
    )
    free = points[points["cost_flops"] == 0]
    told = "; ".join(
        f"{MODEL_TITLES[row['variant']]} {100 * row['ood_pass_at_1']:.1f} %"
        for row in read_rows(free[free["variant"].isin(OTHERS)])
    )
    return PageFigure(
        "costs",
        "Recovered OOD against cost",
        f"Operations for one seed: the edit's own arithmetic, or all updates of RL. At no cost: {told}; and resets of "
        "layers, which only copy.",
        table[LONG_COLUMNS],
        "floating-point operations",
        "pass@1 on OOD",
        mode="points",
        log_x=True,
        y_format=PERCENT,
    )


def _spread_splits(points: pd.DataFrame) -> pd.DataFrame:
    """Lay points out by knob, a panel for each split."""
    ordered = points.sort_values(["family", "knob"])
    named = ordered.assign(
        series=[name_family(family) for family in ordered["family"]], x=ordered["knob"], note=_describe_knobs(ordered)
    )
    parts = [
        named.assign(
            panel=title,
            y=named[f"{split}_pass_at_1"],
            low=named[f"{split}_pass_at_1_low"],
            high=named[f"{split}_pass_at_1_high"],
        )
        for split, title in SPLITS.items()
    ]
    return pd.concat(parts)[LONG_COLUMNS]


def _describe_knobs(points: pd.DataFrame) -> list[str]:
    return [describe_knob(row) for row in read_rows(points.fillna({"knob_name": ""}))]
