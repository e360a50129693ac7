"""OOD against ID along SFT: a figure of every arm, and tables of its checkpoints and of how arms compare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from card24_pipeline.findings.accuracy import DIFFERENCE, LEVEL
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.findings.models import STEP_ROLE, name_model
from card24_pipeline.page.figure import PERCENT, Figure, make_table
from card24_pipeline.page.titles import title_arm
from card24_pipeline.study.numbers import write_number, write_range
from card24_pipeline.study.vocabulary import BASE, END, ID_SEEN, MAX_OOD, POOLED, title_role, title_split

SPREADS = {"se_replicates": "spread between replicates", "se_hands": "spread between hands"}
SPREAD_NAMES = {"se_replicates": "SE between replicates", "se_hands": "SE between hands"}


def show_paths(findings: Findings) -> Figure:
    """Show OOD against ID along each SFT arm, once with the spread between replicates and once with that of hands."""
    rows: list[dict[str, Any]] = []
    shown = {column: panel for column, panel in SPREADS.items() if column == "se_hands" or len(findings.seeds) > 1}
    for column, panel in shown.items():
        for arm, models in list_paths(findings).items():
            for seed in findings.seeds if column == "se_replicates" else ():
                line = {"panel": panel, "series": name_part(arm, seed)}
                rows += [line | point for point in _trace(findings, models, scope=seed)]
            rows += [{"panel": panel, "series": arm} | point for point in _trace(findings, models, bar=column)]
    for role in (MAX_OOD, END):
        marked = [name_model(arm, role) for arm in findings.sft_arms]
        for panel in shown.values():
            rows += [{"panel": panel, "series": title_role(role)} | point for point in _trace(findings, marked)]
    return Figure(
        "sft_paths",
        "OOD against ID along SFT",
        "Greedy pass@1 from the base (where the lines meet) to the last step. Bold: mean over replicates, at each step "
        "a standard error to either side; thin: each replicate, with a base of its own unless one was given. Up and to "
        f"the right is better. {describe_arms(findings)}",
        make_table(rows),
        f"pass@1 on {title_split(ID_SEEN)}",
        f"pass@1 on {title_split(findings.ood)}",
        x_format=PERCENT,
        y_format=PERCENT,
        unjoined=(title_role(MAX_OOD), title_role(END)),
        labelled=tuple(findings.sft_arms),
        parts={name_part(arm, seed): arm for arm in findings.sft_arms for seed in findings.seeds},
    )


def describe_arms(findings: Findings) -> str:
    """Name the SFT arms with what is to know of each."""
    return f"SFT arms: {', '.join(title_arm(arm, findings) for arm in findings.sft_arms)}."


def name_part(arm: str, seed: str) -> str:
    """Name the line of one replicate."""
    return f"{arm}, {seed}"


def list_paths(findings: Findings) -> dict[str, list[str]]:
    """Return the models along each SFT arm, by step from the base; of an arm that keeps one checkpoint, that alone."""
    steps = findings.models[findings.models["role"] == STEP_ROLE].sort_values("step", kind="stable")
    kept = {arm: steps.loc[steps["sft_arm"] == arm, "model"].tolist() for arm in findings.sft_arms}
    return {arm: [BASE, *models] if len(models) > 1 else models for arm, models in kept.items()}


def _trace(findings: Findings, models: list[str], *, scope: str = POOLED, bar: str = "") -> Iterator[dict[str, Any]]:
    """Yield the points of models, with a standard error to either side if one is named."""
    for model in models:
        across = findings.find(LEVEL, model, split=ID_SEEN, scope=scope)
        along = findings.find(LEVEL, model, split=findings.ood, scope=scope)
        if across is not None and along is not None:
            # A base that replicates share has no spread between them.
            reach = np.nan_to_num(along[bar]) if bar else np.nan
            yield {"x": across["estimate"], "y": along["estimate"], "note": findings.title(model)} | {
                "low": along["estimate"] - reach,
                "high": along["estimate"] + reach,
            }


def table_paths(findings: Findings) -> list[dict[str, str]]:
    """Tabulate ID and OOD of every SFT arm at MaxOOD, at levels of ID and at the end, with both spreads.

    What is to know of an arm stands beside its name at the end.
    """
    return [
        {
            "SFT arm": title_arm(arm, findings) if (role, split) == (END, ID_SEEN) else arm,
            "checkpoint": title_role(role),
            "hands": title_split(split),
        }
        | cells
        for arm in findings.sft_arms
        for role in (MAX_OOD, *findings.list_levels(arm), END)
        for split in (ID_SEEN, findings.ood)
        for cells in _write_spreads(findings, LEVEL, name_model(arm, role), "", split, "level")
    ]


def table_arms(findings: Findings) -> list[dict[str, str]]:
    """Tabulate how pairs of SFT arms differ on OOD and ID, at the end and at the same levels of ID."""
    return [
        {"SFT arms": f"{later} − {earlier}", "checkpoint": title_role(role), "hands": title_split(split)} | cells
        for later, earlier in findings.arm_pairs
        for role in (*findings.list_levels(later, earlier), END)
        for split in (ID_SEEN, findings.ood)
        for cells in _write_spreads(
            findings, DIFFERENCE, name_model(later, role), name_model(earlier, role), split, "points"
        )
    ]


def _write_spreads(
    findings: Findings, quantity: str, subject: str, reference: str, split: str, unit: str
) -> Iterator[dict[str, str]]:
    """Yield the cells of one estimate, none where it was not measured."""
    row = findings.find(quantity, subject, reference, split=split)
    if row is not None:
        yield {
            "estimate": write_number(row["estimate"], unit),
            **{title: write_number(row[column], "level") for column, title in SPREAD_NAMES.items()},
            f"{findings.confidence:.0%} interval": write_range(row, unit),
            "replicates": f"{row['seeds']}",
        }
