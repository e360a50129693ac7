"""Figures of the report on reinforcement learning (RL)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import pandas as pd

from card24_pipeline.reporting.rl_contrasts import ANCHORED, PLAIN, sort_roles
from card24_pipeline.reporting.rl_runs import SPLIT_TITLES
from card24_pipeline.reporting.tables import name_role

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe–Ito colours, told apart by colour-blind readers; markers and dashes differ as well.
BEFORE_COLOUR = "#555555"
ARM_STYLES: dict[str, tuple[str, str, Literal["-", "--"], float]] = {
    # arm: colour, marker, dash, shift from the place of the SFT step
    PLAIN: ("#0072B2", "o", "-", -0.15),
    ANCHORED: ("#D55E00", "D", "--", 0.15),
}
ROLE_COLOURS = {"max_ood": "#009E73", "end": "#D55E00"}
RUNG_COLOURS = ("#56B4E9", "#E69F00", "#CC79A7", "#0072B2")
TRAINING_PANELS = {
    "reward": "reward of answers sampled on ID hands",
    "success": "share of sampled answers that are correct",
    "entropy_nats": "entropy (nats/token)",
    "kl_start_nats": "KL from the start (nats/token)",
}


def draw_rl_gains(sft_curve: pd.DataFrame, gains: pd.DataFrame, runs: pd.DataFrame, *, anchor: str) -> Figure:
    """Draw pass@1 against the SFT step before RL, and where RL from each start led.

    Args:
        sft_curve: Columns ``seed``, ``step``, ``split``, ``pass_at_1``, before RL.
        gains: Output of ``RlContrastBuilder.trace_gains``: what all seeds together gained.
        runs: Output of ``summarise_runs``: what each seed gained.
        anchor: What the anchored arm is held to, as the legend names it.

    Returns:
        A figure of three panels, each with its own range: OOD, ID hands of SFT's multisets, and held-out ID hands.
        Bars are the interval of the paired difference, laid upon the pass@1 before.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5), layout="constrained")
    steps = sorted(sft_curve["step"].unique())
    # Checkpoints lie about log-spaced, so their places, one beside the other, read best.
    places = {step: place for place, step in enumerate(steps)}
    labels = _name_arms(anchor)
    for axes, (split, title) in zip(figure.subplots(1, len(SPLIT_TITLES)), SPLIT_TITLES.items(), strict=True):
        _draw_sft_curve(axes, sft_curve[sft_curve["split"] == split], places)
        for arm in ARM_STYLES:
            chosen = gains[(gains["arm"] == arm) & (gains["split"] == split)]
            _draw_gains(axes, chosen, runs[runs["arm"] == arm], split, places, label=f"after RL, {labels[arm]}")
        axes.set_title(title)
        axes.set_xticks(range(len(steps)), [str(step) for step in steps])
        axes.set_xlim(-0.5, len(steps) - 0.5)
        axes.set_xlabel("SFT step")
        axes.set_ylim(0, max(axes.get_ylim()[1], 0.05))
        axes.grid(alpha=0.25)
    figure.axes[0].set_ylabel("pass@1 (greedy)")
    handles, texts = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=len(texts), frameon=False)
    return figure


def _draw_sft_curve(axes: Axes, curve: pd.DataFrame, places: Mapping[int, int]) -> None:
    """Draw pass@1 before RL: the mean of the seeds, and every seed behind it."""
    for _, one in curve.groupby("seed"):
        axes.plot(one["step"].map(places), one["pass_at_1"], color=BEFORE_COLOUR, linewidth=0.8, alpha=0.35)
    mean = curve.groupby("step")["pass_at_1"].mean()
    at = [places[int(step)] for step in mean.index]
    axes.plot(at, mean, color=BEFORE_COLOUR, marker="s", markersize=4, label="before RL (SFT)")


def _name_arms(anchor: str) -> dict[str, str]:
    return {PLAIN: "no KL penalty", ANCHORED: f"KL held to {anchor}"}


def _draw_gains(
    axes: Axes, gains: pd.DataFrame, runs: pd.DataFrame, split: str, places: Mapping[int, int], *, label: str
) -> None:
    """Draw one arm: from each start a line to where RL led, its interval, and every seed as a small marker beside."""
    if gains.empty:
        return
    colour, marker, _, shift = ARM_STYLES[gains["arm"].iloc[0]]
    single = runs.drop_duplicates(["seed", "from_step"])
    axes.plot(
        single["from_step"].map(places) + 2.4 * shift,
        single[f"{split}_after"],
        linestyle="none",
        marker=marker,
        markersize=4,
        color=colour,
        alpha=0.4,
        markeredgewidth=0,
    )
    at = gains["from_step"].map(places) + shift
    axes.vlines(at, gains["before"], gains["after"], color=colour, linewidth=3, alpha=0.35)
    bars = [gains["difference"] - gains["low"], gains["high"] - gains["difference"]]
    axes.errorbar(at, gains["after"], bars, linestyle="none", marker=marker, color=colour, capsize=3, label=label)


def draw_rl_training(history: Mapping[str, pd.DataFrame], selected: pd.DataFrame, *, anchor: str) -> Figure:
    """Draw how every run went, by update.

    Args:
        history: By arm, one row per seed, ``from_step`` and update.
        selected: Columns ``seed``, ``role``, ``step``.
        anchor: What the anchored arm is held to, as the legend names it.

    Returns:
        A figure of four panels: reward, success, entropy and KL from the start; one line for each seed and start, its
        colour telling the start's role and its dash the arm.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(12, 7.5), layout="constrained")
    starts = selected.rename(columns={"step": "from_step"})[["seed", "role", "from_step"]]
    runs = {arm: updates.merge(starts, on=["seed", "from_step"]) for arm, updates in history.items() if len(updates)}
    roles = sort_roles(role for updates in runs.values() for role in updates["role"].unique())
    colours = dict(zip((role for role in roles if role not in ROLE_COLOURS), RUNG_COLOURS * len(roles), strict=False))
    colours |= ROLE_COLOURS
    for axes, (column, title) in zip(figure.subplots(2, 2).flat, TRAINING_PANELS.items(), strict=True):
        for arm, updates in runs.items():
            for run, one in updates.sort_values("update").groupby(["role", "seed"]):
                axes.plot(
                    one["update"], one[column], color=colours[str(run[0])], linestyle=ARM_STYLES[arm][2], linewidth=0.9
                )
        axes.set_title(title)
        axes.set_xlabel("update")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
    names = _name_arms(anchor)
    _explain_lines(figure, {role: colours[role] for role in roles}, {arm: names[arm] for arm in runs})
    return figure


def _explain_lines(figure: Figure, colours: Mapping[str, str], arms: Mapping[str, str]) -> None:
    """Put a legend of colours and dashes below the panels."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colour, label=f"from {name_role(role)}") for role, colour in colours.items()]
    handles += [Line2D([], [], color="black", linestyle=ARM_STYLES[arm][2], label=label) for arm, label in arms.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
