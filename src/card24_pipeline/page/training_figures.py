"""Figures of SFT, RL and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from card24_pipeline.findings.accuracy import DIFFERENCE, LEVEL
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.findings.models import STEP_ROLE, name_model
from card24_pipeline.findings.reading import RUN
from card24_pipeline.game.verdicts import Outcome
from card24_pipeline.page.figure import PERCENT, Figure, make_table
from card24_pipeline.study.rows import read_rows
from card24_pipeline.study.vocabulary import (
    BASE,
    HAND_GROUP_TITLES,
    ID_HELDOUT,
    ID_SEEN,
    MET,
    MIDDLE,
    NEVER_MET,
    PUBLISHED,
    SELECT,
    sort_roles,
    title_role,
    title_split,
)

HISTORY_TITLES = {
    "reward": "mean reward",
    "success": "share solved",
    "entropy_nats": "entropy (nats/token)",
    "kl_start_nats": "KL from the start (nats/token)",
}


def list_splits(findings: Findings) -> list[str]:
    """Return the splits that figures show: the claims' OOD, both of ID, then any further OOD rule."""
    shown = [findings.ood, ID_SEEN, ID_HELDOUT]
    found = findings.estimates["split"].unique()
    others = [split for split in found if split and not split.endswith(SELECT) and not split.startswith(PUBLISHED)]
    return [*shown, *(split for split in others if split not in shown)]


def show_accuracy(findings: Findings) -> Figure:
    """Show pass@1 by SFT step, and on OOD by whether the base had met the multiset."""
    models = findings.models
    steps = models[(models["kind"] == "sft") & (models["role"] == STEP_ROLE)]
    rows: list[dict[str, object]] = []
    several = steps["sft_arm"].nunique() > 1
    for arm, chosen in steps.groupby("sft_arm", sort=False):
        at = {"0": BASE} | {str(step): model for step, model in zip(chosen["step"], chosen["model"], strict=True)}
        for split in list_splits(findings):
            series = f"SFT, {arm}" if several else "SFT"
            rows += _trace(findings, title_split(split), series, at, split=split)
        for hands in (MET, NEVER_MET) if arm == findings.sft_arm else ():
            panel = f"{title_split(findings.ood)}, by what the base had met"
            rows += _trace(findings, panel, HAND_GROUP_TITLES[hands], at, split=findings.ood, hands=hands)
    return Figure(
        "sft_curves",
        "Accuracy along SFT",
        "Greedy pass@1, all replicates. Step 0 is the base.",
        make_table(sorted(rows, key=lambda row: int(str(row["x"])))),
        "SFT step",
        "pass@1",
        categories=True,
        y_format=PERCENT,
    )


def _trace(findings: Findings, panel: str, series: str, at: Mapping[str, str], **where: str) -> list[dict[str, object]]:
    """Lay the levels of models out, by the places that they have on the axis."""
    found = {place: findings.find(LEVEL, model, **where) for place, model in at.items()}
    return [
        {"panel": panel, "series": series, "x": place, "y": row["estimate"], "low": row["low"], "high": row["high"]}
        | {"note": f"{place}, replicates: {row['seeds']}"}
        for place, row in found.items()
        if row is not None
    ]


def show_rl_gains(findings: Findings) -> Figure:
    """Show pass@1 before and after RL by the start; bars are the interval of the paired gain."""
    models = findings.models
    rl = models[(models["kind"] == "rl") & (models["role"] != MIDDLE)]
    rows: list[dict[str, object]] = []
    for split in list_splits(findings):
        panel = title_split(split)
        for arm, own in rl.groupby("sft_arm", sort=False):
            starts = {title_role(role): name_model(str(arm), role) for role in sort_roles(own["role"])}
            series = "SFT" if arm == findings.sft_arm else f"SFT, {arm}"
            rows += [row | {"low": None, "high": None} for row in _trace(findings, panel, series, starts, split=split)]
        for run in read_rows(rl.sort_values("role", key=lambda roles: roles.map(sort_roles(rl["role"]).index))):
            before = name_model(run["sft_arm"], run["role"])
            gain, level = findings.find(DIFFERENCE, run["model"], before, split=split), findings.level(before, split)
            if gain is not None:
                after = {"y": level + gain["estimate"], "low": level + gain["low"], "high": level + gain["high"]}
                told = {"x": title_role(run["role"]), "note": f"replicates: {gain['seeds']}"}
                rows.append({"panel": panel, "series": f"after RL, {run['arm']}"} | after | told)
    return Figure(
        "rl_gains",
        "Accuracy before and after RL",
        "Greedy pass@1 by the SFT checkpoint that RL started from, all replicates. Bars are those of the paired gain.",
        make_table(rows),
        "start of RL",
        "pass@1",
        categories=True,
        y_format=PERCENT,
        mode="points",
    )


def show_rl_training(history: pd.DataFrame, starts: pd.DataFrame) -> Figure:
    """Show reward, success, entropy and divergence by update, a line for each arm and start (means over replicates)."""
    runs = history.merge(starts, on=RUN)
    means = runs.groupby(["rl_arm", "role", "update"], sort=False)[list(HISTORY_TITLES)].mean().reset_index()
    rows: list[dict[str, object]] = [
        {"panel": title, "series": f"{arm}, from {title_role(role)}", "x": int(update), "y": float(value)}
        | {"note": f"update {update}"}
        for arm in history["rl_arm"].unique()
        for role in sort_roles(means.loc[means["rl_arm"] == arm, "role"])
        for column, title in HISTORY_TITLES.items()
        for update, value in means.loc[
            (means["rl_arm"] == arm) & (means["role"] == role), ["update", column]
        ].itertuples(index=False)
    ]
    return Figure(
        "rl_training",
        "RL while it trains",
        "Sampled answers to ID hands, means over replicates.",
        make_table(rows),
        "update",
        "",
        own_y=True,
    )


def show_outcomes(hands: Mapping[str, pd.DataFrame], splits: Sequence[str]) -> Figure:
    """Show what became of the answers: the share of each outcome, by model in the order given."""
    rows: list[dict[str, Any]] = [
        {"panel": title_split(split), "series": outcome.value.replace("_", " "), "x": model, "y": share}
        | {"note": f"{100 * share:.1f} %"}
        for split in splits
        for outcome in Outcome
        for model, graded in hands.items()
        for share in [float((graded.loc[graded["split"] == split, "outcome"] == outcome.value).mean())]
    ]
    return Figure(
        "outcomes",
        "What goes wrong",
        "Share of each outcome among all replicates' answers. A legal prefix is the beginning of some correct formula.",
        make_table(rows),
        "share of answers",
        "",
        mode="bars",
        x_format=PERCENT,
    )
