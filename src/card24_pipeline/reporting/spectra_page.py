"""The report on spectra as one Markdown page."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from card24_pipeline.reporting.rl_contrasts import ARMS, sort_roles
from card24_pipeline.reporting.spectra_contrasts import ENERGY, NULL_QUANTILE, SIGMA_SHIFT, name_excess
from card24_pipeline.reporting.spectra_ends import END_SHARE, GAP_STRATA
from card24_pipeline.reporting.spectra_summary import BANDS, CHANGES, MODELS, NULLS, WHOLE, Change
from card24_pipeline.reporting.spectra_verdicts import (
    BOUNDS,
    DEGREES,
    NULL_TITLES,
    PERCENT,
    REFERENCE_TITLES,
    SIGMA_BOUND,
    SpectraJudge,
    format_interval,
    judge_change,
    judge_return,
    pool_return,
)
from card24_pipeline.reporting.tables import name_role, read_rows, to_markdown

NOT_MEASURED = "Not measured."
NULLS_SENTENCE = (
    "Every change of weights, ΔW, stands beside two null models of equal Frobenius norm: a *Gaussian* ΔW, and a "
    "*spectrum-matched* one that has the singular values of the real ΔW and random bases. Whatever a null shows as "
    "well is no evidence of anything particular to fine-tuning."
)
HOW_TO_READ = (
    "**How to read this.** A matrix's shift of singular values is the median of |σ' − σ| / σ over its indices, and "
    f"the bound of {SIGMA_BOUND:.0%} was set before the study was run. The angle of a band is the mean principal "
    "angle between its subspaces before and after, left and right averaged; its excess is taken matrix by matrix over "
    f"the null's {NULL_QUANTILE:.0%} quantile (of a normal distribution about the mean of the matrix's draws, with the "
    "spread that the draws of all matrices have in common), every other excess over the null's mean. Rotation is that "
    f"of the single singular vectors: the ends are the first and the last {END_SHARE:.0%} of all indices, the bulk is "
    "what lies between. Vectors inside a cluster of nearly equal singular values turn under any noise, and the bulk "
    "is where values lie closest. Hence the comparison at equal gaps, within a matrix and within one of "
    f"{GAP_STRATA} strata of the gap (the distance of σ to its nearest neighbour over the spectral norm of ΔW); inside "
    "a stratum gaps still differ somewhat. Intervals resample matrices, all seeds of one moving "
    "together; they are conditional on this one base model and on the seeds shown, treat the matrices of a model as "
    "independent, which they are not quite, and are not corrected for how many there are. *Holds* means that the "
    "whole interval is on the claimed side (of both nulls where both are named), *does not hold* that it is on the "
    "other (of either null); all else is *undecided*. Of RL's way back, the share is that of the straight way from "
    "its start to the reference, over all matrices, which RL's own ΔW covers when laid upon it; the angle is the mean "
    "change of the principal angle between the top subspaces and those of the reference, and is negative where they "
    "came nearer."
)


def write_spectra_report(
    summary: pd.DataFrame, contrasts: pd.DataFrame, returned: pd.DataFrame, *, fraction: float, confidence: float
) -> str:
    """Write the report on spectra.

    Args:
        summary: Output of ``summarise_spectra``.
        contrasts: Output of ``SpectraContrastBuilder.contrast_changes``.
        returned: Output of ``SpectraContrastBuilder.contrast_return``.
        fraction: Size of the bands.
        confidence: Level of all intervals.

    Returns:
        Markdown that shows ``spectra_rotation.png``, ``spectra_sigma.png`` and ``spectra_depth.png`` from its own
        folder.
    """
    level = f"{confidence:.0%}"
    parts = [
        "# What fine-tuning and RL do to singular values and directions",
        NULLS_SENTENCE,
        "![Rotation of singular vectors against their index](spectra_rotation.png)",
        "![Relative shift of singular values](spectra_sigma.png)",
        f"![Angle of the top {fraction:.0%} by layer and kind](spectra_depth.png)",
        *(
            f"## {change.title} ({level} intervals)\n\n{judge_change(contrasts, change, fraction=fraction)}"
            f"\n\n{_table_of_contrasts(contrasts, change)}"
            for change in CHANGES
        ),
        f"## Does RL turn the weights back? ({level} intervals)",
        judge_return(returned),
        _table_of_return(returned),
        f"## Spectra of the selected checkpoints, bands of {fraction:.0%}",
        _table_of_summary(summary, fraction),
        HOW_TO_READ,
    ]
    return "\n\n".join(parts) + "\n"


def _table_of_contrasts(contrasts: pd.DataFrame, change: Change) -> str:
    """Tabulate what was measured of one change, beside its nulls."""
    judge = SpectraJudge(contrasts, change)
    columns = {model: NULL_TITLES.get(model, model) for model in MODELS}
    columns |= {name_excess(null): f"excess over {NULL_TITLES[null]}" for null in NULLS}
    rows = []
    for measure in dict.fromkeys(contrasts["measure"]):
        found = {model: judge.find(measure, model) for model in columns}
        unit = PERCENT if measure in (SIGMA_SHIFT, ENERGY) else DEGREES
        if any(found.values()):
            rows.append(
                {"measure": measure}
                | {columns[model]: format_interval(row, unit) if row else "–" for model, row in found.items()}
            )
    return to_markdown(pd.DataFrame(rows)) if rows else NOT_MEASURED


def _table_of_return(returned: pd.DataFrame) -> str:
    """Tabulate how far RL went back, by arm, start and reference."""
    pooled = {(row["arm"], row["role"], row["reference"]): row for row in read_rows(pool_return(returned))}
    rows = []
    for arm in ARMS:
        for role in sort_roles(role for _, role, _ in pooled):
            for reference, name in REFERENCE_TITLES.items():
                row = pooled.get((arm, role, reference))
                if row is not None:
                    about = {"RL": arm, "start": name_role(role), "reference": name}
                    rows.append(about | _format_return(row))
    return to_markdown(pd.DataFrame(rows)) if rows else NOT_MEASURED


def _format_return(row: dict[str, Any]) -> dict[str, Any]:
    share, angle = (
        {name: row[f"{figure}{suffix}"] for name, suffix in BOUNDS.items()} for figure in ("share", "angle_change")
    )
    return {
        "share of the way": "–" if math.isnan(share["estimate"]) else format_interval(share, PERCENT),
        "cosine": _format_figure(row["cosine"], "+z.3f"),
        "change of the angle": format_interval(angle, DEGREES),
        "seeds": row["seeds"],
    }


def _table_of_summary(summary: pd.DataFrame, fraction: float) -> str:
    """Tabulate the averages over matrices of the selected checkpoints."""
    chosen = summary[(summary["role"] != "") & summary["fraction"].isin((1.0, fraction))]
    bands = {(row["pair"], row["step"], row["model"], row["band"]): row for row in read_rows(chosen)}
    rows = []
    for pair, step, model in sorted({key[:3] for key in bands}, key=lambda key: (*key[:2], MODELS.index(key[2]))):
        whole, *parts = (bands.get((pair, step, model, band)) for band in (WHOLE, *BANDS))
        if whole is None:
            continue
        rows.append(
            {"pair": pair, "SFT step": step, "role": whole["role"], "model": NULL_TITLES.get(model, model)}
            | {
                "shift of σ": _format_figure(whole["relative_sigma_shift"], ".2%"),
                "signed": _format_figure(whole["signed_sigma_shift"], "+z.2%"),
            }
            | {
                f"angle, {band} (°)": _format_figure(part["angle_degrees"], ".2f") if part else "–"
                for band, part in zip(BANDS, parts, strict=True)
            }
            | {
                "energy in the top": _format_figure(parts[0]["energy_inside"], ".1%") if parts[0] else "–",
                "‖ΔW‖ / ‖W‖": _format_figure(whole["norm_ratio"], ".4f"),
                "weights changed": _format_figure(whole["changed_share"], ".1%"),
            }
        )
    return f"Means over matrices and seeds.\n\n{to_markdown(pd.DataFrame(rows))}" if rows else NOT_MEASURED


def _format_figure(value: float, digits: str) -> str:
    return "–" if math.isnan(value) else format(value, digits)
