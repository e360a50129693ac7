"""Figures of edits: what they restore, by knob and family, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan, nan
from typing import Any

import pandas as pd

from card24_pipeline.findings.accuracy import DIFFERENCE, LEVEL
from card24_pipeline.findings.choices import ANY_ID, KEEPING_ID
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.findings.models import name_model
from card24_pipeline.page.figure import PERCENT, Figure, make_table
from card24_pipeline.page.sft_paths import list_paths
from card24_pipeline.page.titles import describe_knob, title_family
from card24_pipeline.study.rows import read_rows
from card24_pipeline.study.vocabulary import BASE, END, ID_SEEN, MAX_OOD, title_role, title_split

KNOBS = {
    # key of the figure: its title, how its knobs' names end, title of the axis
    "edits_by_fraction": ("By the share of directions", "fraction", "share of each matrix's directions"),
    "edits_by_quarter": ("By depth", "quarter", "quarter of layers (1 = first)"),
    "edits_by_share": ("By the share of the donor", "share", "share"),
}
RL_SERIES = "RL from End"
CHOICE_TITLES = {KEEPING_ID: "best knob that keeps ID", ANY_ID: "best knob whatever ID"}


def list_edited(findings: Findings) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the models that stand beside edits with the series that they belong to: edits, RL from End, checkpoints."""
    for row in read_rows(findings.models):
        edit, rl = row["kind"] == "edit", row["kind"] == "rl" and row["role"] == END
        if edit or rl or (row["kind"] in ("base", "sft") and row["role"] in (BASE, MAX_OOD, END)):
            yield row, title_family(row, findings) if edit else findings.title(row["model"])


def show_frontier(findings: Findings) -> Figure:
    """Show OOD against ID: the path of every SFT arm, RL from its End, and a line for each family of edits."""
    rows: list[dict[str, Any]] = []
    panels = {
        donor: f"donor {title_role(donor)}" for donor in (MAX_OOD, BASE) if donor in set(findings.models["donor"])
    }
    for arm, models in list_paths(findings).items():
        path = [{"series": arm, "note": findings.title(model)} | _place(findings, model) for model in models]
        rows += [{"panel": panel, **point, "low": nan, "high": nan} for panel in panels.values() for point in path]
    edited = [row for row, _ in list_edited(findings) if row["kind"] in ("rl", "edit")]
    for row in sorted(edited, key=lambda row: 0.0 if isnan(row["knob"]) else row["knob"]):
        is_edit = row["kind"] == "edit"
        point = {"series": title_family(row, findings) if is_edit else RL_SERIES} | _place(findings, row["model"])
        point["note"] = describe_knob(row) if is_edit else findings.title(row["model"])
        shown = [panels[row["donor"]]] if row["donor"] in panels else panels.values()
        rows += [{"panel": panel} | point for panel in shown]
    return Figure(
        "frontier",
        "What OOD costs in ID",
        "Every edit of End at every knob, RL from End, and bold the path of SFT itself; single points are arms that "
        "keep their End only. Up and to the right is better. A tap on a name in the legend hides it.",
        make_table(rows),
        f"pass@1 on {title_split(ID_SEEN)}",
        f"pass@1 on {title_split(findings.ood)}",
        x_format=PERCENT,
        y_format=PERCENT,
        unjoined=(RL_SERIES,),
        labelled=tuple(findings.sft_arms),
    )


def _place(findings: Findings, model: str) -> dict[str, Any]:
    return {"x": findings.level(model, ID_SEEN)} | _take(findings, LEVEL, model)


def show_knobs(findings: Findings, key: str) -> Figure:
    """Show pass@1 by one kind of knob, see ``KNOBS``; the table is empty where no edit has such a one."""
    title, ending, axis = KNOBS[key]
    edits = findings.models[findings.models["knob_name"].str.endswith(ending)].sort_values("knob", kind="stable")
    rows: list[dict[str, object]] = [
        {
            "panel": title_split(split),
            "series": title_family(row, findings),
            "x": _place_knob(row),
            "note": describe_knob(row),
        }
        | _take(findings, LEVEL, row["model"], split=split)
        for split in (findings.ood, ID_SEEN)
        for row in read_rows(edits)
    ]
    quarters = ending == "quarter"
    return Figure(
        key, title, "End after the edit, all replicates.", make_table(rows), axis, "pass@1", categories=quarters,
        x_format="" if quarters else PERCENT, y_format=PERCENT,
    )  # fmt: skip


def _place_knob(row: dict[Any, Any]) -> object:
    return f"{row['knob']:g}" if row["knob_name"] == "quarter" else float(row["knob"])


def show_choices(findings: Findings) -> Figure:
    """Show every family at its best knob: what it gains on OOD and leaves of ID."""
    rows: list[dict[str, object]] = []
    for split in (findings.ood, ID_SEEN):
        for row, series in list_edited(findings):
            for choice, title in CHOICE_TITLES.items():
                if row[choice]:
                    end = name_model(row["sft_arm"], END)
                    found = _take(findings, DIFFERENCE, row["model"], end, split=split)
                    points: dict[str, object] = {name: 100 * float(value) for name, value in found.items()}
                    rows.append(
                        {"panel": title_split(split), "series": title, "x": series, "note": describe_knob(row)} | points
                    )
    return Figure(
        "edits_controls",
        "Against the controls",
        "Difference to End in pass@1. Knobs are chosen on other OOD hands; ID is kept if it lies at most a point below "
        "End.",
        make_table(rows),
        "",
        "difference to End (points)",
        mode="points",
        sideways=True,
    )


def show_costs(findings: Findings) -> Figure:
    """Show OOD against floating-point operations, RL on the same axes."""
    spent = [(row, series) for row, series in list_edited(findings) if row["cost_flops"] > 0]
    rows: list[dict[str, object]] = [
        {"panel": title_split(findings.ood), "series": series, "x": row["cost_flops"], "note": describe_knob(row)}
        | _take(findings, LEVEL, row["model"])
        for row, series in spent
    ]
    free = [row["model"] for row, _ in list_edited(findings) if row["cost_flops"] == 0 and row["kind"] != "edit"]
    told = "; ".join(f"{findings.title(model)} {100 * findings.level(model):.1f} %" for model in free)
    return Figure(
        "edits_cost",
        "OOD against cost",
        f"Operations for one replicate: the edit's own arithmetic, or all updates of RL. At no cost: {told}; and "
        "resets of layers, which only copy.",
        make_table(rows),
        "floating-point operations",
        f"pass@1 on {title_split(findings.ood)}",
        mode="points",
        log_x=True,
        y_format=PERCENT,
    )


def _take(
    findings: Findings, quantity: str, model: str, reference: str = "", split: str | None = None
) -> dict[str, Any]:
    row = findings.find(quantity, model, reference, split=split or findings.ood)
    names = {"y": "estimate", "low": "low", "high": "high"}
    return {name: float("nan") if row is None else row[column] for name, column in names.items()}


def is_drawable(figure: Figure) -> bool:
    """Tell whether there is anything to draw; a grid without some method leaves nothing of it."""
    return bool(len(figure.table)) and bool(pd.notna(figure.table["y"]).any())
