"""Figures of edits by their knob and by their family."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from card24_pipeline.reporting.recovery_choices import ID_TOLERANCE
from card24_pipeline.reporting.recovery_models import BASE, END, MAX_OOD, name_family
from card24_pipeline.reporting.recovery_verdicts import BOUND

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Style(NamedTuple):
    """Colour, marker and dash of one line."""

    colour: str
    marker: str
    dash: str


# Okabe–Ito colours, told apart by colour-blind readers; markers and dashes differ as well.
FRACTION_STYLES = {
    "uv_top donor=max_ood": Style("#0072B2", "o", "-"),
    "uv_top donor=max_ood sigma=donor": Style("#56B4E9", "s", "--"),
    "uv_top donor=base": Style("#009E73", "^", "-"),
    "uv_tail donor=max_ood": Style("#D55E00", "D", "-"),
    "uv_random donor=max_ood": Style("#E69F00", "v", ":"),
    "uv_turned donor=max_ood": Style("#CC79A7", "X", ":"),
}
QUARTER_STYLES = {
    "layer_reset donor=max_ood": Style("#0072B2", "o", "-"),
    "layer_reset donor=max_ood embeddings": Style("#D55E00", "D", "--"),
    "layer_reset donor=base": Style("#009E73", "^", "-"),
    "layer_reset donor=base embeddings": Style("#CC79A7", "X", "--"),
}
CHECKPOINT_STYLES = {
    END: ("black", "-"),
    MAX_OOD: ("#555555", "--"),
    BASE: ("#555555", ":"),
}
CHOICE_STYLES = {
    # prefix of the columns: label, colour, marker, face, shift from the family's place
    "chosen": ("best knob that keeps ID", "#0072B2", "o", "#0072B2", 0.15),
    "any_id": ("best knob whatever ID", "#D55E00", "D", "white", -0.15),
}


def draw_recovery_by_k(points: pd.DataFrame) -> Figure:
    """Draw pass@1 against the fraction of directions restored and against the quarter of layers reset.

    Args:
        points: Output of ``RecoveryBuilder.trace_points``.

    Returns:
        A figure of two rows, OOD and ID, and of two columns, fractions and quarters; bands are intervals.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8.5), layout="constrained")
    panels = figure.subplots(2, 2, sharex="col", sharey="row")
    for row, (split, title) in zip(panels, (("ood", "OOD"), ("id_seen", "ID, multisets of SFT")), strict=True):
        for axes, styles in zip(row, (FRACTION_STYLES, QUARTER_STYLES), strict=True):
            for family, style in styles.items():
                _draw_knobs(axes, points[points["family"] == family], split, style)
            _draw_checkpoints(axes, points, split)
            axes.set_title(title)
            axes.grid(alpha=0.25)
        row[0].set_ylabel("pass@1 (greedy)")
    panels[1, 0].set_xlabel("fraction of each matrix's directions")
    panels[1, 1].set_xlabel("quarter of the layers (1 = first)")
    panels[1, 1].set_xticks([1, 2, 3, 4])
    handles = {
        label: handle for axes in panels[0] for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_knobs(axes: Axes, family: pd.DataFrame, split: str, style: Style) -> None:
    """Draw one family's pass@1 by knob, with its interval."""
    if family.empty:
        return
    ordered, column = family.sort_values("knob"), f"{split}_pass_at_1"
    low, high = ordered[f"{column}_low"], ordered[f"{column}_high"]
    axes.fill_between(ordered["knob"], low, high, color=style.colour, alpha=0.13, linewidth=0)
    label = name_family(family["family"].iloc[0])
    axes.plot(
        ordered["knob"], ordered[column], color=style.colour, marker=style.marker, linestyle=style.dash, label=label
    )


def _draw_checkpoints(axes: Axes, points: pd.DataFrame, split: str) -> None:
    """Draw the checkpoints as they are across the panel."""
    for _, row in points[points["variant"].isin(CHECKPOINT_STYLES)].iterrows():
        colour, dash = CHECKPOINT_STYLES[row["variant"]]
        column = f"{split}_pass_at_1"
        axes.axhspan(row[f"{column}_low"], row[f"{column}_high"], color=colour, alpha=0.06, linewidth=0)
        axes.axhline(row[column], color=colour, linestyle=dash, linewidth=1, label=name_family(row["variant"]))


def draw_recovery_controls(points: pd.DataFrame, chosen: pd.DataFrame) -> Figure:
    """Draw what every family changes on OOD and on ID, at its two choices.

    Args:
        points: Output of ``RecoveryBuilder.trace_points``.
        chosen: Output of ``choose_knobs``.

    Returns:
        A figure of two panels, the difference to End on OOD and on ID in points, with intervals; families are sorted
        by OOD at the knob that is best whatever ID. Lines mark MaxOOD and ``BOUND`` of the loss to it, and
        ``ID_TOLERANCE``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 1.8 + 0.34 * len(chosen)), layout="constrained")
    ordered = chosen.sort_values(["any_id_ood_difference", "family"], ignore_index=True)
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, column, title in (
        (left, "ood_difference", "OOD"),
        (right, "id_seen_difference", "ID, multisets of SFT"),
    ):
        axes.axvline(0, color="black", linewidth=1, label="End")
        for prefix in CHOICE_STYLES:
            _draw_choices(axes, ordered, column, prefix)
        axes.set_title(title)
        axes.set_xlabel("difference to End (points of pass@1)")
        axes.grid(alpha=0.25)
    loss = 100 * float(points.loc[points["variant"] == MAX_OOD, "ood_difference"].iloc[0])
    left.axvline(loss, color="#555555", linestyle="--", linewidth=1, label="MaxOOD")
    left.axvline(BOUND * loss, color="#555555", linestyle=":", linewidth=1, label=f"{BOUND:.0%} of the loss to MaxOOD")
    right.axvline(-100 * ID_TOLERANCE, color="#555555", linestyle="-.", linewidth=1, label="one point below End")
    left.set_yticks(range(len(ordered)), [name_family(family) for family in ordered["family"]])
    handles = {
        label: handle for axes in (left, right) for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    return figure


def _draw_choices(axes: Axes, ordered: pd.DataFrame, column: str, prefix: str) -> None:
    """Draw one of the two choices of every family that has it."""
    label, colour, marker, face, shift = CHOICE_STYLES[prefix]
    rows = ordered[ordered[f"{prefix}_variant"] != ""]
    middle, low, high = (100 * rows[f"{prefix}_{column}{bound}"] for bound in ("", "_low", "_high"))
    axes.errorbar(
        middle,
        rows.index + shift,
        xerr=[middle - low, high - middle],
        linestyle="none",
        marker=marker,
        color=colour,
        markerfacecolor=face,
        markersize=5,
        capsize=2,
        label=label,
    )
