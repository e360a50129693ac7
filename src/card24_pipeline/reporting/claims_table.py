"""The verdicts as a table, and the headline figures of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from card24_pipeline.reporting.claims import CLAIMS
from card24_pipeline.reporting.recovery_models import BASE, END, MAX_OOD, RL_MODELS
from card24_pipeline.reporting.rl_contrasts import PLAIN
from card24_pipeline.reporting.tables import read_rows, to_markdown

SCALES = {"points": 100, "percent": 100, "share": 100, "degrees": 1}
FORMATS = {"points": "{:+z.1f}", "percent": "{:+z.2f} %", "share": "{:z.0f} %", "degrees": "{:+z.2f}°"}
VERDICTS = ("holds", "does not hold", "undecided")
SPLITS = ("ood", "id_seen", "id_heldout")


def write_claims_table(statements: Sequence[Mapping[str, Any]]) -> str:
    """Write the verdicts as one Markdown table, claim by claim.

    Args:
        statements: Output of ``judge_claims``.
    """
    rows = [
        {
            "statement": f"{row['text']} †" if row["by_construction"] else row["text"],
            "verdict": f"**{row['verdict']}**",
            "measured": format_measured(row),
            "seeds alone": format_seeds(row),
            "published": format_published(row),
        }
        for number, title in CLAIMS.items()
        for row in [
            {"text": f"**{number}. {title}**", "by_construction": False, "verdict": ""},
            *(each for each in statements if each["claim"] == number),
        ]
    ]
    return to_markdown(pd.DataFrame(rows)).replace("****", "") + "\n"


def format_measured(row: Mapping[str, Any]) -> str:
    """Write a statement's estimate with its interval, or why there is none."""
    if row.get("estimate") is None:
        return str(row.get("note", ""))
    told = format_figure(row, row["unit"])
    return f"{told}; {row['note']}" if row["note"] else told


def format_seeds(row: Mapping[str, Any]) -> str:
    """Write the estimate of each seed alone."""
    alone = row.get("by_seed", {}).values()
    return ", ".join("–" if estimate is None else _format(estimate, row["unit"]) for estimate in alone)


def format_published(row: Mapping[str, Any]) -> str:
    """Write what was published on a statement."""
    told = [f"{figure['label']}: {format_figure(figure, row['unit'])}" for figure in row.get("published", [])]
    return "; ".join([*told, *filter(None, [row.get("published_note", "")])])


def format_figure(figure: Mapping[str, Any], unit: str) -> str:
    """Write an estimate with its interval in its unit."""
    estimate, low, high = (_format(figure[name], unit) for name in ("estimate", "low", "high"))
    return f"{estimate} ({low} to {high})"


def _format(value: float, unit: str) -> str:
    return FORMATS[unit].format(SCALES[unit] * value).replace("-", "−")


def summarise_study(statements: Sequence[Mapping[str, Any]], points: pd.DataFrame) -> dict[str, Any]:
    """Gather the figures by which two studies are compared.

    Args:
        statements: Output of ``judge_claims``.
        points: Output of ``RecoveryBuilder.trace_points``.

    Returns:
        ``pass_at_1`` by split and model (the base, MaxOOD, End and RL from End, pooled over seeds), the estimate of
        every statement by its key, and the numbers of verdicts.
    """
    named = {BASE: "base", MAX_OOD: "max_ood", END: "end", RL_MODELS[PLAIN]: "rl_from_end"}
    rows = {named[row["variant"]]: row for row in read_rows(points) if row["variant"] in named}
    verdicts = [row["verdict"] for row in statements]
    return {
        "pass_at_1": {
            split: {name: round(float(row[f"{split}_pass_at_1"]), 6) for name, row in rows.items()} for split in SPLITS
        },
        "claims": {row["key"]: round(row["estimate"], 6) for row in statements if row["estimate"] is not None},
        "verdicts": {verdict.replace(" ", "_"): verdicts.count(verdict) for verdict in VERDICTS},
    }
