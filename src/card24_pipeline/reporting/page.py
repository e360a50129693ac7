"""The report as one Markdown page."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.reporting.tables import format_points, judge_sign, read_rows, to_markdown

MODEL_ORGANISM = (
    "**What this model is.** The base is a small *model organism*: it was given its OOD skill in pre-training, on "
    "multisets and random face rules that this pipeline drew. That fine-tuning on the ID rule can make it forget is "
    "therefore there by construction; by how much, when, and what undoes it is measured. Intervals resample "
    "multisets and are conditional on this one base model and on the seeds shown."
)
FROM_FOLDER = "Intervals resample multisets and are conditional on this one base model and on the seeds shown."


def write_report(
    curves: pd.DataFrame,
    contrasts: pd.DataFrame,
    scores: pd.DataFrame,
    selected: pd.DataFrame,
    *,
    confidence: float,
    trained_from_scratch: bool,
) -> str:
    """Write the study's report.

    Args:
        curves: Output of ``CurveBuilder.trace_accuracy``.
        contrasts: Output of ``CurveBuilder.contrast_selected``.
        scores: One row per seed, step, split and acquaintance.
        selected: Columns ``seed``, ``role``, ``step``.
        confidence: Level of all intervals.
        trained_from_scratch: Whether the base is the pipeline's own, so that the page says what it is.

    Returns:
        Markdown that shows ``sft_curves.png`` from its own folder.
    """
    level = f"{confidence:.0%}"
    parts = [
        "# What fine-tuning on the ID rule does to the OOD rule",
        MODEL_ORGANISM if trained_from_scratch else FROM_FOLDER,
        "![pass@1 against SFT step](sft_curves.png)",
        f"## Rise, peak and fall on the OOD hands ({level} intervals)",
        _judge_shape(contrasts),
        _table_of_contrasts(contrasts),
        "MaxOOD is chosen on `ood_select`, whose multisets are none of those that `ood` holds; End is the last step.",
        f"## pass@1 by SFT step, all seeds ({level} intervals)",
        _table_of_curves(curves),
        "## Every seed",
        _table_of_seeds(scores, selected),
    ]
    return "\n\n".join(parts) + "\n"


def _judge_shape(contrasts: pd.DataFrame) -> str:
    """Say of each leg of the expected shape whether its whole interval lies on the expected side."""
    pooled = contrasts[contrasts["scope"] == "all seeds"]
    by_pair: dict[Any, Any] = pooled.set_index(["split", "base_met_multiset", "pair"]).to_dict("index")
    legs = (
        ("OOD rises from the base to MaxOOD", ("ood", "all", "max_ood - base"), 1),
        ("OOD falls from MaxOOD to End", ("ood", "all", "end - max_ood"), -1),
        ("… on multisets that the base had met", ("ood", "met", "end - max_ood"), -1),
        ("… on multisets that it had never met", ("ood", "never_met", "end - max_ood"), -1),
        ("ID (multisets of SFT) climbs from MaxOOD to End", ("id_seen", "all", "end - max_ood"), 1),
        ("ID (held out) climbs from MaxOOD to End", ("id_heldout", "all", "end - max_ood"), 1),
    )
    lines = []
    for text, key, sign in legs:
        row = by_pair[key]
        verdict = judge_sign(float(row["low"]), float(row["high"]), sign)
        lines.append(f"- {text}: **{verdict}** ({format_points(row)})")
    return "\n".join(lines)


def _table_of_contrasts(contrasts: pd.DataFrame) -> str:
    """Tabulate the paired differences on OOD, pooled and seed by seed."""
    chosen = contrasts[contrasts["split"] == "ood"]
    wide = chosen.assign(cell=[format_points(row) for row in read_rows(chosen)]).pivot(
        index=["base_met_multiset", "scope"], columns="pair", values="cell"
    )
    wide = wide.reset_index().rename(columns={"base_met_multiset": "multisets", "scope": "seeds"})
    wide["multisets"] = wide["multisets"].map(ACQUAINTANCE)
    return to_markdown(wide[["multisets", "seeds", "max_ood - base", "end - max_ood", "end - base"]])


ACQUAINTANCE = {"all": "all", "met": "met by the base", "never_met": "never met by the base"}


def _table_of_curves(curves: pd.DataFrame) -> str:
    """Tabulate the pooled curves, one row per step."""
    chosen = curves[curves["base_met_multiset"] == "all"]
    cells = [
        f"{100 * row['pass_at_1']:.1f} ({100 * row['low']:.1f}–{100 * row['high']:.1f})" for row in read_rows(chosen)
    ]
    wide = chosen.assign(cell=cells).pivot(index="step", columns="split", values="cell").reset_index()
    return "Percent.\n\n" + to_markdown(wide)


def _table_of_seeds(scores: pd.DataFrame, selected: pd.DataFrame) -> str:
    """Tabulate each seed's selected checkpoints."""
    whole = read_rows(scores[scores["base_met_multiset"] == "all"])
    by_key = {(row["seed"], row["step"], row["split"]): row for row in whole}
    rows = []
    for chosen in read_rows(selected):
        seed, step = chosen["seed"], chosen["step"]
        passes = {
            split: f"{100 * by_key[seed, step, split]['pass_at_1']:.1f}" for split in ("id_seen", "id_heldout", "ood")
        }
        ood = by_key[seed, step, "ood"]
        rows.append(
            {"seed": seed, "role": chosen["role"], "step": step, **passes}
            | {
                "OOD card→number": f"{100 * ood['card_to_number_accuracy']:.1f}",
                "KL from base (nats/token)": f"{ood['forward_kl_nats']:.3f}",
            }
        )
    return to_markdown(pd.DataFrame(rows))
