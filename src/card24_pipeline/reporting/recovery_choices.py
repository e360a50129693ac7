"""The knob of every family of edits: the best on ``ood_select`` among those with enough ID."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.reporting.recovery_models import BASE, END, MAX_OOD
from card24_pipeline.reporting.tables import read_rows

ID_TOLERANCE = 0.01
"""How far pass@1 on ``id_seen`` may lie below End's for ID to count as kept; set before the study was run."""

UV_MERGE = "uv_top"
INTERVALS = ("ood_pass_at_1", "ood_difference", "id_seen_difference", "recovered_share")
COPIED = [
    "variant",
    "knob",
    "ood_select_pass_at_1",
    *(f"{name}{bound}" for name in INTERVALS for bound in ("", "_low", "_high")),
    "cost_flops",
]


def choose_knobs(points: pd.DataFrame) -> pd.DataFrame:
    """Choose a variant of every family, once among those that keep ID and once among all.

    Ties on ``ood_select`` go to the smaller knob.

    Args:
        points: Output of ``RecoveryBuilder.trace_points``.

    Returns:
        One row per family, End and the base left out: ``family``, ``method``, ``donor``, ``knob_name``, ``sigma``,
        the number of ``variants`` and how many of them are ``within_tolerance``, that is not more than
        ``ID_TOLERANCE`` below End on ``id_seen`` by their point estimate; then ``COPIED`` of the choice among these
        as ``chosen_…`` ("" and NaN where there is none) and of the choice among all as ``any_id_…``.
    """
    rows = []
    for family, variants in points[~points["variant"].isin((END, BASE))].groupby("family", sort=False):
        kept = variants[variants["id_seen_difference"] >= -ID_TOLERANCE]
        rows.append(
            {"family": family}
            | {fact: variants[fact].iloc[0] for fact in ("method", "donor", "knob_name", "sigma")}
            | {"variants": len(variants), "within_tolerance": len(kept)}
            | _copy_best(kept, "chosen")
            | _copy_best(variants, "any_id")
        )
    return pd.DataFrame(rows)


def select_families(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Select the rows that stand for a method when methods are compared.

    These take MaxOOD as donor, or need none, and keep the target's singular values where that is a choice; which
    matrices they edit, and whether the embeddings too, is theirs.
    """
    ours = table["donor"].isin((MAX_OOD, "")) & (table["sigma"] != "donor")
    return table[ours & (table["method"] == method)]


def pick_best(families: pd.DataFrame) -> dict[str, Any] | None:
    """Return the family whose choice that keeps ID is best on ``ood_select``, None where none has one."""
    able = families[families["chosen_variant"] != ""]
    return max(read_rows(able), key=lambda row: float(row["chosen_ood_select_pass_at_1"]), default=None)


def pick_at_no_less_id(models: pd.DataFrame, needed: float) -> dict[str, Any] | None:
    """Return the model that is best on ``ood_select`` among those with enough ID, None without any.

    Of equals it is the first.

    Args:
        models: Rows of the output of ``RecoveryBuilder.trace_points``.
        needed: The pass@1 on ``id_seen`` below which a model may lie by ``ID_TOLERANCE``, by its point estimate.
    """
    able = models[models["id_seen_pass_at_1"] >= needed - ID_TOLERANCE]
    return max(read_rows(able), key=lambda row: float(row["ood_select_pass_at_1"]), default=None)


def _copy_best(variants: pd.DataFrame, prefix: str) -> dict[str, Any]:
    """Copy the figures of the variant that is best on ``ood_select``."""
    if variants.empty:
        return {f"{prefix}_{name}": "" if name == "variant" else float("nan") for name in COPIED}
    ordered = variants.sort_values(["ood_select_pass_at_1", "knob"], ascending=[False, True], kind="stable")
    best = ordered.iloc[0]
    return {f"{prefix}_{name}": best[name] for name in COPIED}
