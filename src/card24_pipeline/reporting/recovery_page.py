"""The report on the recovery of OOD accuracy by edits of weights as one Markdown page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from card24_pipeline.reporting.recovery_models import RL_MODELS, name_family
from card24_pipeline.reporting.recovery_verdicts import (
    BOUND,
    format_share,
    take_interval,
    tell_keeping,
    tell_leads,
    tell_recovery,
)
from card24_pipeline.reporting.tables import format_points, read_rows, to_markdown

WHAT_IS_EDITED = (
    "**What is edited.** The target of every edit is End, the last checkpoint of SFT. The donor is MaxOOD, the "
    "early checkpoint that is best on `ood_select`, or the base. An edit needs no gradient: it puts singular "
    "directions, singular values, layers or a mixture of weights of the donor into the target. Beside the edits stand "
    "the donors as they are, and RL from End. The *recovered share* is what an edit gains on End as a share of "
    "what End had lost to that edit's own donor on `ood`; models without a donor are held to MaxOOD."
)
HOW_TO_READ = (
    "**How to read this.** Every difference is taken hand by hand within a seed, in greedy pass@1. Intervals resample "
    "multisets and are conditional on this one base model and on the seeds shown: they do not cover how another seed "
    "of SFT or RL would have come out, and they are not corrected for how many edits there are. *Holds* means that "
    "the whole interval is on the claimed side, *does not hold* that it is on the other; all else is *undecided*. The "
    "interval of a share takes the ratio in every draw, and none is given unless the loss's own interval lies above "
    "0. Knobs are chosen on `ood_select`, whose multisets are none of those that `ood` holds; ID is kept if `id_seen` "
    "lies at most one point below End by the point estimate, so that a choice is itself on a threshold, and its "
    "interval stands beside it. Most `id_seen` hands were dealt in SFT, so that column is accuracy on practised hands. "
    "MaxOOD is chosen on `ood_select` too, that is for its OOD. The cost of an edit is that of its own arithmetic for "
    "one seed, without the scoring by which its knob is chosen and without the SFT that made the donor; that of RL is "
    "the sum over its updates. Which RL runs count is told in `report_rl.md`."
)


def write_recovery_report(points: pd.DataFrame, chosen: pd.DataFrame, *, confidence: float) -> str:
    """Write the report on edits of weights.

    Args:
        points: Output of ``RecoveryBuilder.trace_points``.
        chosen: Output of ``RecoveryBuilder.measure_leads``.
        confidence: Level of all intervals.

    Returns:
        Markdown that shows ``recovery_by_k.png``, ``recovery_controls.png``, ``recovery_frontier.png`` and
        ``recovery_cost.png`` from its own folder.
    """
    level = f"{confidence:.0%}"
    parts = [
        "# What edits of weights bring back of the OOD rule",
        WHAT_IS_EDITED,
        f"## Do top directions or first layers bring OOD back? ({level} intervals)",
        f"The published claim is 70–80 %; what is judged is whether it is at least {BOUND:.0%}.",
        "\n".join([*tell_recovery(points), *tell_keeping(points)]),
        "![pass@1 by fraction of directions and by quarter of layers](recovery_by_k.png)",
        "## Do directions beat what is simpler?",
        _tell_uv_merge(chosen),
        "\n".join(tell_leads(chosen, points)),
        "![Differences to End on OOD and ID by family](recovery_controls.png)",
        "![OOD against ID by family and knob](recovery_frontier.png)",
        "![OOD against cost](recovery_cost.png)",
        f"## The choice of every family ({level} intervals)",
        _table_of_choices(chosen),
        f"## Every model ({level} intervals)",
        _table_of_points(points),
        HOW_TO_READ,
    ]
    return "\n\n".join(parts) + "\n"


def _tell_uv_merge(chosen: pd.DataFrame) -> str:
    """Say which UV-merge stands for them all."""
    names = [name for name in chosen["uv_merge"].unique() if name]
    merge = "A UV-merge puts the donor's top directions into the target and keeps the target's singular values. "
    if not names:
        return (
            f"{merge}None with donor MaxOOD keeps ID within one point of End, so none can be compared with a control "
            "that does. [The claims](claims.md) hold controls to the ID of the merge instead."
        )
    return (
        f"{merge}`{names[0]}` "
        "is best on `ood_select` of those with donor MaxOOD that keep ID within one point; each control stands at its "
        "own knob so chosen."
    )


def _table_of_choices(chosen: pd.DataFrame) -> str:
    """Tabulate both choices of every family."""
    rows = [
        {
            "family": name_family(row["family"]),
            "keep ID": f"{row['within_tolerance']} of {row['variants']}",
            **{f"{title}, ID kept": cell for title, cell in _write_choice(row, "chosen").items()},
            "UV-merge above it, OOD": _write_points(row, "uv_merge_lead"),
            **{f"{title}, whatever ID": cell for title, cell in _write_choice(row, "any_id").items()},
        }
        for row in read_rows(chosen)
    ]
    return "Differences are to End, in points of pass@1; cost is in FLOP.\n\n" + to_markdown(pd.DataFrame(rows))


def _write_choice(row: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Write the cells of one of a family's choices."""
    cost = row[f"{prefix}_cost_flops"]
    return {
        "knob": _write_knob(row["knob_name"], row[f"{prefix}_knob"]) if row[f"{prefix}_variant"] else "none",
        "OOD": _write_points(row, f"{prefix}_ood_difference"),
        "share": _write_share(row, f"{prefix}_recovered_share"),
        "ID": _write_points(row, f"{prefix}_id_seen_difference"),
        "cost": _write_cost(cost),
    }


def _table_of_points(points: pd.DataFrame) -> str:
    """Tabulate every model at every knob."""
    rows = [
        {
            "model": name_family(row["family"]),
            "knob": _write_knob(row["knob_name"], row["knob"]),
            "OOD": _write_level(row, "ood"),
            "share recovered": _write_share(row, "recovered_share"),
            "… met by the base": _write_share(row, "recovered_share_met"),
            "… never met": _write_share(row, "recovered_share_never_met"),
            "ID, multisets of SFT": _write_level(row, "id_seen"),
            "ID − End": _write_points(row, "id_seen_difference"),
            "ID, held out": _write_level(row, "id_heldout"),
            "cost": _write_cost(row["cost_flops"]),
        }
        for row in read_rows(points)
    ]
    lacking = [name_family(name) for name in RL_MODELS.values() if name not in set(points["variant"])]
    note = f" Not measured: {', '.join(lacking)}." if lacking else ""
    return f"pass@1 in percent; cost in FLOP.{note}\n\n{to_markdown(pd.DataFrame(rows))}"


def _write_knob(name: str, value: float) -> str:
    return f"{name.replace('_', ' ')} {value:g}" if name else "–"


def _write_level(row: Mapping[str, Any], split: str) -> str:
    level, low, high = (100 * row[f"{split}_pass_at_1{bound}"] for bound in ("", "_low", "_high"))
    return f"{level:.1f} ({low:.1f}–{high:.1f})"


def _write_points(row: Mapping[str, Any], column: str) -> str:
    return "–" if math.isnan(row[column]) else format_points(take_interval(row, column)).removesuffix(" points")


def _write_share(row: Mapping[str, Any], column: str) -> str:
    return "–" if math.isnan(row[column]) else format_share(take_interval(row, column))


def _write_cost(flops: float) -> str:
    return "–" if math.isnan(flops) else f"{flops:.2g}" if flops else "0"
