"""Verdicts on the recovery of OOD accuracy by edits of weights: which claims hold, on which numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from card24_pipeline.reporting.recovery_choices import ID_TOLERANCE, UV_MERGE, pick_best, select_families
from card24_pipeline.reporting.recovery_models import MAX_OOD, RL_MODELS
from card24_pipeline.reporting.rl_contrasts import ANCHORED, PLAIN
from card24_pipeline.reporting.tables import format_points, judge_sign, read_rows

BOUND = 0.70
"""The published claim: top directions, or the first layers, recover 70–80 % of the lost OOD accuracy."""

CLAIMED_EDITS = {
    # variant: how a sentence calls it
    "uv_top donor=max_ood top_fraction=0.2": "Restoring the directions of the top 20 % (donor MaxOOD)",
    "uv_top donor=base top_fraction=0.2": "Restoring the directions of the top 20 % (donor base)",
    "layer_reset donor=max_ood quarter=1": "Resetting the first quarter of layers (donor MaxOOD)",
    "layer_reset donor=max_ood embeddings quarter=1": "Resetting it with the embeddings and the head (donor MaxOOD)",
}
CONTROLS = {
    # method: how a sentence calls it
    "interpolation": "interpolation",
    "lines": "LiNeS",
    "delta_top": "truncated ΔW",
    "delta_threshold": "hard-thresholded ΔW",
    "uv_random": "directions at random indices",
    "uv_turned": "directions turned at random",
    "singular_values": "σ only",
    MAX_OOD: "keeping MaxOOD",
    RL_MODELS[PLAIN]: "RL from End",
    RL_MODELS[ANCHORED]: "anchored RL from End",
}


def judge_bound(low: float, high: float, bound: float) -> str:
    """Return *holds* if the whole interval reaches the bound, *does not hold* if none of it, else *undecided*."""
    if low >= bound:
        return "holds"
    return "does not hold" if high < bound else "undecided"


def take_interval(row: Mapping[str, Any], column: str) -> dict[str, float]:
    """Take a figure and its bounds out of a row, under the names that ``format_points`` reads."""
    return {
        "difference": float(row[column]),
        "low": float(row[f"{column}_low"]),
        "high": float(row[f"{column}_high"]),
    }


def format_share(interval: Mapping[str, float]) -> str:
    """Write a share with its interval in percent; it is NaN where what it is a share of may be nothing."""
    if math.isnan(interval["difference"]):
        return "not given, for the loss itself is in doubt"
    return f"{interval['difference']:z.0%} ({interval['low']:z.0%} to {interval['high']:z.0%})"


def tell_recovery(points: pd.DataFrame) -> list[str]:
    """Say of every claimed edit whether it recovers ``BOUND`` of what End lost to its donor on OOD."""
    return _tell_edits(
        points, f"recovers at least {BOUND:.0%} of the OOD loss", "recovered_share", BOUND, write=format_share
    )


def tell_keeping(points: pd.DataFrame) -> list[str]:
    """Say of every claimed edit whether its ID stays within ``ID_TOLERANCE`` of End, by its whole interval."""
    return _tell_edits(
        points,
        "keeps ID (multisets of SFT) within one point of End",
        "id_seen_difference",
        -ID_TOLERANCE,
        write=format_points,
    )


def tell_leads(chosen: pd.DataFrame, points: pd.DataFrame) -> list[str]:
    """Say of every control whether the best UV-merge is above it on OOD, both at knobs that keep ID.

    Args:
        chosen: Output of ``RecoveryBuilder.measure_leads``.
        points: Output of ``RecoveryBuilder.trace_points``.
    """
    return [
        f"- A UV-merge beats {title} on OOD, both keeping the ID of End: {_tell_lead(chosen, points, method, title)}"
        for method, title in CONTROLS.items()
    ]


def _tell_edits(
    points: pd.DataFrame, claim: str, column: str, bound: float, *, write: Callable[[Mapping[str, Any]], str]
) -> list[str]:
    """Hold a column of every claimed edit to a bound."""
    by_variant = {row["variant"]: row for row in read_rows(points)}
    lines = []
    for variant, title in CLAIMED_EDITS.items():
        told = "**undecided** (not measured)"
        if variant in by_variant:
            row = by_variant[variant]
            interval = take_interval(row, column)
            verdict = judge_bound(interval["low"], interval["high"], bound)
            told = f"**{verdict}** ({write(interval)}{_remark_seeds(row['seeds'], points)})"
        lines.append(f"- {title} {claim}: {told}")
    return lines


def _tell_lead(chosen: pd.DataFrame, points: pd.DataFrame, method: str, title: str) -> str:
    """Write verdict and number against one control, or why there is none."""
    rivals = {"a UV-merge": select_families(chosen, UV_MERGE), title: select_families(chosen, method)}
    if any(families.empty for families in rivals.values()):
        return "**undecided** (not measured)"
    picks = {name: pick_best(families) for name, families in rivals.items()}
    for name, families in rivals.items():
        if picks[name] is None:
            has_knob = families["any_id_knob"].notna().any()
            keeps = f"no knob of {name} keeps" if has_knob else f"{name} does not keep"
            return f"**undecided** ({keeps} ID within one point)"
    row = picks[title]
    if not row or not row["uv_merge_lead_seeds"]:
        return "**undecided** (no seed has both)"
    lead = take_interval(row, "uv_merge_lead")
    remark = _remark_seeds(row["uv_merge_lead_seeds"], points)
    return f"**{judge_sign(lead['low'], lead['high'], 1)}** ({format_points(lead)}{remark})"


def _remark_seeds(seeds: int, points: pd.DataFrame) -> str:
    """Say how many of the seeds a number rests on, where these are not all."""
    return f"; {seeds} of {points['seeds'].max()} seeds" if seeds < points["seeds"].max() else ""
