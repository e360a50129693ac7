"""Tables behind the page's figures of SFT, RL and answers."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from card24_pipeline.game.verdicts import Outcome
from card24_pipeline.reporting.html_figures import PERCENT, PageFigure
from card24_pipeline.reporting.rl_contrasts import ANCHORED, PLAIN, sort_roles
from card24_pipeline.reporting.rl_runs import SPLIT_TITLES
from card24_pipeline.reporting.tables import name_role

LONG_COLUMNS = ["panel", "series", "x", "y", "low", "high", "note"]
ARM_TITLES = {PLAIN: "after RL", ANCHORED: "after anchored RL"}
START_TITLE = "the same seeds before RL"
HISTORY_TITLES = {
    "reward": "mean reward",
    "success": "share solved",
    "entropy_nats": "entropy (nats/token)",
    "kl_start_nats": "KL from the start (nats/token)",
}


def show_accuracy(curves: pd.DataFrame, gains: pd.DataFrame | None) -> PageFigure:
    """Show pass@1 by SFT step, before and after RL.

    Args:
        curves: Output of ``CurveBuilder.trace_accuracy``.
        gains: Output of ``RlContrastBuilder.trace_gains``; None where RL has not been run.
    """
    whole = curves[curves["base_met_multiset"] == "all"]
    before = whole.assign(series="SFT", y=whole["pass_at_1"], x=whole["step"])
    parts = [before]
    if gains is not None:
        # The interval is that of the paired gain, laid around what it arrives at.
        after = gains.assign(series=gains["arm"].map(ARM_TITLES), y=gains["after"], x=gains["from_step"])
        after["low"], after["high"] = (gains["before"] + gains[bound] for bound in ("low", "high"))
        # Not every seed starts from a step, so its point of all seeds is no point to compare with.
        start = gains.drop_duplicates(["split", "from_step"]).assign(series=START_TITLE)
        start = start.assign(x=start["from_step"], y=start["before"], low=float("nan"), high=float("nan"))
        parts += [start, after]
    table = pd.concat(parts)
    table = table[table["split"].isin(SPLIT_TITLES)]
    table["panel"] = table["split"].map(SPLIT_TITLES)
    table = table.sort_values("split", key=lambda splits: splits.map(list(SPLIT_TITLES).index), kind="stable")
    table["x"] = table["x"].astype(int).astype(str)
    table["note"] = _note_seeds(table)
    return PageFigure(
        "accuracy",
        "Accuracy along SFT, before and after RL",
        "Greedy pass@1. Step 0 is the base; the line pools all seeds. After RL stands at the SFT step that RL started "
        "from, beside the same seeds before it; its bars are those of the paired gain.",
        table[LONG_COLUMNS],
        "SFT step",
        "pass@1",
        categories=True,
        y_format=PERCENT,
        unjoined=(START_TITLE, *ARM_TITLES.values()),
    )


def _note_seeds(table: pd.DataFrame) -> list[str]:
    """Name each point's step, and for RL how many seeds started there."""
    if "seeds" not in table:
        return [f"step {step}" for step in table["x"]]
    return [
        f"step {step}" if pd.isna(seeds) else f"step {step}, seeds: {seeds:.0f}"
        for step, seeds in zip(table["x"], table["seeds"], strict=True)
    ]


def show_rl(history: Mapping[str, pd.DataFrame], selected: pd.DataFrame) -> PageFigure:
    """Show reward, success, entropy and divergence by update, a line for each arm and start (means over seeds)."""
    starts = selected.rename(columns={"step": "from_step"})[["seed", "from_step", "role"]]
    parts = []
    for arm, updates in history.items():
        runs = updates.merge(starts, on=["seed", "from_step"])
        means = runs.groupby(["role", "update"])[list(HISTORY_TITLES)].mean().reset_index()
        for role in sort_roles(means["role"]):
            chosen = means[means["role"] == role]
            series = f"{'' if arm == PLAIN else 'anchored, '}from {name_role(role)}"
            for column, title in HISTORY_TITLES.items():
                drawn = chosen.rename(columns={"update": "x", column: "y"})[["x", "y"]]
                parts.append(drawn.assign(panel=title, series=series, low=float("nan"), high=float("nan")))
    table = pd.concat(parts, ignore_index=True).assign(note="")
    table["note"] = [f"update {update}" for update in table["x"]]
    return PageFigure(
        "rl",
        "RL while it trains",
        "Sampled answers to ID hands, means over seeds. The anchored arm holds its KL to an earlier checkpoint.",
        table[LONG_COLUMNS],
        "update",
        "",
        own_y=True,
    )


def show_outcomes(hands: Mapping[str, pd.DataFrame]) -> PageFigure:
    """Show what became of the answers: the share of each outcome, on OOD and on ID.

    Args:
        hands: Graded hands by the name of the model, in the order of the bars.
    """
    rows = [
        {"panel": SPLIT_TITLES[split], "series": outcome.value.replace("_", " "), "x": model, "y": share}
        for split in ("ood", "id_seen")
        for outcome in Outcome
        for model, graded in hands.items()
        for share in [float((graded.loc[graded["split"] == split, "outcome"] == outcome.value).mean())]
    ]
    table = pd.DataFrame(rows).assign(low=float("nan"), high=float("nan"))
    table["note"] = [f"{100 * share:.1f} %" for share in table["y"]]
    return PageFigure(
        "outcomes",
        "What goes wrong",
        "Share of each outcome among the answers, all seeds. A legal prefix is the beginning of some correct formula.",
        table[LONG_COLUMNS],
        "share of answers",
        "",
        mode="bars",
        x_format=PERCENT,
    )
