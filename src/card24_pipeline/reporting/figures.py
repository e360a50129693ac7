"""Figures of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe–Ito colours, told apart by colour-blind readers; markers and dashes differ as well.
SPLIT_STYLES = {
    "id_seen": ("ID, multisets of SFT", "#0072B2", "o", "-"),
    "id_heldout": ("ID, held out", "#56B4E9", "s", "--"),
    "ood": ("OOD", "#D55E00", "D", "-"),
}


def draw_sft_curves(curves: pd.DataFrame, scores: pd.DataFrame) -> Figure:
    """Draw pass@1 against the SFT step: pooled curves with their intervals, every seed as a faint line.

    Args:
        curves: Output of ``CurveBuilder.trace_accuracy``.
        scores: One row per seed, step, split and acquaintance, with ``pass_at_1``.

    Returns:
        A figure of two panels: all multisets, and OOD by whether the base had met the multiset.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for split, (label, colour, marker, dash) in SPLIT_STYLES.items():
        _draw_curve(left, curves, scores, (split, "all"), label=label, style=(colour, marker, dash))
    for met, label, style in (
        ("met", "OOD, multiset met in pre-training", ("#E69F00", "^", "-")),
        ("never_met", "OOD, multiset never met", ("#CC79A7", "v", "--")),
    ):
        _draw_curve(right, curves, scores, ("ood", met), label=label, style=style)
    left.set_ylabel("pass@1 (greedy)")
    left.set_title("Fine-tuning on the ID rule")
    right.set_title("OOD by acquaintance of the base")
    steps = sorted(curves["step"].unique())
    for axes in (left, right):
        axes.set_xticks(range(len(steps)), [str(step) for step in steps])
        axes.set_xlabel("SFT step (0 = base)")
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=9)
    return figure


def _draw_curve(
    axes: Axes,
    curves: pd.DataFrame,
    scores: pd.DataFrame,
    group: tuple[str, str],
    *,
    label: str,
    style: tuple[str, str, str],
) -> None:
    """Draw one group's pooled curve with its interval, and its seeds behind it."""
    colour, marker, dash = style
    curve, seeds = (
        frame[(frame["split"] == group[0]) & (frame["base_met_multiset"] == group[1])] for frame in (curves, scores)
    )
    # Checkpoints lie about log-spaced, so their places, one beside the other, read best.
    places = {step: place for place, step in enumerate(sorted(curve["step"]))}
    for _, one in seeds.groupby("seed"):
        axes.plot(one["step"].map(places), one["pass_at_1"], color=colour, linewidth=0.8, alpha=0.45)
    at = curve["step"].map(places)
    axes.fill_between(at, curve["low"], curve["high"], color=colour, alpha=0.18, linewidth=0)
    axes.plot(at, curve["pass_at_1"], color=colour, marker=marker, linestyle=dash, label=label)
