"""Figures of what OOD accuracy costs: in ID accuracy, and in floating-point operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from card24_pipeline.reporting.recovery_figures import Style
from card24_pipeline.reporting.recovery_models import BASE, END, MAX_OOD, MODEL_TITLES, RL_MODELS, name_family
from card24_pipeline.reporting.rl_contrasts import ANCHORED, PLAIN

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe–Ito colours, told apart by colour-blind readers; where two methods share one, their markers differ.
METHOD_STYLES = {
    "uv_top": ("#0072B2", "o"),
    "uv_tail": ("#56B4E9", "s"),
    "uv_random": ("#E69F00", "v"),
    "uv_turned": ("#CC79A7", "X"),
    "singular_values": ("#555555", "P"),
    "layer_reset": ("#009E73", "^"),
    "interpolation": ("#D55E00", "D"),
    "lines": ("#D55E00", "<"),
    "delta_top": ("#CC79A7", ">"),
    "delta_threshold": ("#009E73", "h"),
}
MODEL_STYLES = {
    END: ("black", "X"),
    MAX_OOD: ("black", "*"),
    BASE: ("black", "P"),
    RL_MODELS[PLAIN]: ("#E69F00", "d"),
    RL_MODELS[ANCHORED]: ("#56B4E9", "p"),
}
DASHES = ("-", "--", ":", "-.")


def draw_recovery_frontier(points: pd.DataFrame) -> Figure:
    """Draw OOD against ID, a line for every family joined by its knob.

    Args:
        points: Output of ``RecoveryBuilder.trace_points``.

    Returns:
        A figure of two panels, by donor; checkpoints and RL stand in both, with intervals on both axes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.5), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    handles: dict[str, Artist] = {}
    for axes, (donor, title) in zip(panels, ((MAX_OOD, "donor MaxOOD"), (BASE, "donor base")), strict=True):
        edits = points[points["donor"] == donor]
        for family, style in _style_families(edits).items():
            _draw_family(axes, edits[edits["family"] == family], style)
        for _, row in points[points["variant"].isin(MODEL_STYLES)].iterrows():
            _draw_model(axes, row)
        axes.set_title(title)
        axes.set_xlabel("ID, multisets of SFT: pass@1 (greedy)")
        axes.grid(alpha=0.25)
        handles |= {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    panels[0].set_ylabel("OOD: pass@1 (greedy)")
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def _style_families(edits: pd.DataFrame) -> dict[str, Style]:
    """Give every family its method's colour and marker, and a dash by its place among the method's families."""
    families = edits.drop_duplicates("family")
    places = families.groupby("method", sort=False).cumcount()
    return {
        family: Style(*METHOD_STYLES[method], DASHES[place % len(DASHES)])
        for family, method, place in zip(families["family"], families["method"], places, strict=True)
    }


def _draw_family(axes: Axes, family: pd.DataFrame, style: Style) -> None:
    """Join one family's variants by their knob."""
    ordered = family.sort_values("knob")
    axes.plot(
        ordered["id_seen_pass_at_1"],
        ordered["ood_pass_at_1"],
        color=style.colour,
        marker=style.marker,
        linestyle=style.dash,
        markersize=5,
        linewidth=1,
        alpha=0.85,
        label=name_family(family["family"].iloc[0]),
    )


def _draw_model(axes: Axes, row: pd.Series) -> None:
    """Draw a checkpoint or RL with its intervals."""
    colour, marker = MODEL_STYLES[row["variant"]]
    bars = [
        [[row[column] - row[f"{column}_low"]], [row[f"{column}_high"] - row[column]]]
        for column in ("id_seen_pass_at_1", "ood_pass_at_1")
    ]
    axes.errorbar(
        row["id_seen_pass_at_1"],
        row["ood_pass_at_1"],
        xerr=bars[0],
        yerr=bars[1],
        color=colour,
        marker=marker,
        markersize=10,
        linestyle="none",
        capsize=2,
        zorder=3,
        label=MODEL_TITLES[row["variant"]],
    )


def draw_recovery_cost(points: pd.DataFrame, chosen: pd.DataFrame) -> Figure:
    """Draw OOD against what an edit or RL costs.

    Args:
        points: Output of ``RecoveryBuilder.trace_points``.
        chosen: Output of ``choose_knobs``.

    Returns:
        A figure of one panel: every family at the knob that is best while ID is kept (filled) and at the one that is
        best whatever ID (open), with intervals, and End as a line. The axis of cost is logarithmic but for 0, which
        stands at its left end.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots()
    end = points[points["variant"] == END].iloc[0]
    axes.axhline(end["ood_pass_at_1"], color="black", linewidth=1, label=MODEL_TITLES[END])
    for prefix in ("any_id", "chosen"):
        for method, families in chosen[chosen[f"{prefix}_variant"] != ""].groupby("method", sort=False):
            _draw_costs(axes, families, str(method), prefix)
    costs = points.loc[points["cost_flops"] > 0, "cost_flops"]
    # Symmetric about 0 and linear only below the least cost: one decade is left between the two.
    least = float(costs.min()) / 10 if len(costs) else 1.0
    axes.set_xscale("symlog", linthresh=least, linscale=0.5)
    axes.set_xlim(left=-least / 2)
    axes.set_xlabel("cost of the edit, or of RL (FLOP for one seed)")
    axes.set_ylabel("OOD: pass@1 (greedy)")
    axes.set_title("Filled: best knob that keeps ID; open: best knob whatever ID")
    axes.grid(alpha=0.25)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def _draw_costs(axes: Axes, families: pd.DataFrame, method: str, prefix: str) -> None:
    """Draw one of the two choices of a method's families; the one that every family has names the method."""
    colour, marker = {**METHOD_STYLES, **MODEL_STYLES}[method]
    middle, low, high = (families[f"{prefix}_ood_pass_at_1{bound}"] for bound in ("", "_low", "_high"))
    axes.errorbar(
        families[f"{prefix}_cost_flops"],
        middle,
        [middle - low, high - middle],
        linestyle="none",
        color=colour,
        marker=marker,
        markerfacecolor=colour if prefix == "chosen" else "white",
        markersize=7,
        capsize=2,
        label=name_family(method) if prefix == "any_id" else None,
    )
