"""The one judge: verdicts on confirmatory statements, at one family-wise level over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from card24_pipeline.findings.lookup import Findings, Found
from card24_pipeline.findings.published import measure_published
from card24_pipeline.findings.statements import Statement, describe
from card24_pipeline.study.vocabulary import EXPLORATORY, FAILS, HOLDS, UNDECIDED

MEASURED = ("estimate", "low", "high", "se_replicates", "se_hands", "p_value", "clusters", "seeds")


def judge_statements(
    statements: Sequence[Statement], findings: Findings, published: pd.DataFrame, *, replicates: int
) -> list[dict[str, Any]]:
    """Judge the confirmatory statements together, by Holm's step-down procedure (Holm 1979, Scand. J. Stat. 6).

    The k-th smallest p-value of m (from 0) is multiplied by m − k, none below the one before it: so the chance that
    any verdict is on the wrong side is at most 1 − the level. Intervals are those of the estimates, one by one.

    Args:
        statements: All statements.
        findings: The study's tables.
        published: The published accuracies.
        replicates: How many verdicts take. A study of fewer has none: all of its statements are exploratory. In one of
            as many or more, a confirmatory statement that rests on fewer stays in the family with a p-value of 1, for
            the family must not depend on what came out.

    Returns:
        One record per statement: its own fields; ``MEASURED`` (None where nothing was measured), ``by_seed``,
        ``cluster``, ``note``, ``p_holm`` (of those that are judged), ``published``, and the ``verdict``: *holds* if
        ``p_holm`` is below 1 − level and the estimate lies on the claimed side, *does not hold* if on the other, else
        *undecided*; *exploratory* of all other statements.

    Raises:
        ValueError: If a statement's bound is not the one that the estimate's p-value is for.
    """
    found = {one.key: one.measure(findings) for one in statements}
    for one in statements:
        row = found[one.key].row
        if row is not None and row["bound"] != one.bound:
            raise ValueError(f"statement {one.key}: its bound is {one.bound}, that of its estimate {row['bound']}")
    judged = [one.key for one in statements if one.confirmatory and len(findings.seeds) >= replicates]
    adjusted = adjust_p_values({key: _take_p_value(found[key], replicates) for key in judged})
    few = f"fewer than {replicates} replicates"
    records = []
    for one in statements:
        record = _judge(one, found[one.key], adjusted.get(one.key), findings, published)
        if one.confirmatory and one.key not in judged:
            record |= {"verdict": EXPLORATORY, "why_exploratory": few}
        elif one.confirmatory and record["seeds"] is not None and record["seeds"] < replicates:
            record["note"] = "; ".join(filter(None, [record["note"], few]))
        records.append(record)
    return records


def _take_p_value(found: Found, replicates: int) -> float:
    """Return a statement's p-value, 1 where it lacks replicates or rests on runs that do not count."""
    lacking = found.row is None or found.row["seeds"] < replicates or not found.decides
    return 1.0 if found.row is None or lacking else float(found.row["p_value"])


def adjust_p_values(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return Holm's adjusted p-values."""
    adjusted: dict[str, float] = {}
    highest = 0.0
    for place, (key, p_value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_value))
        adjusted[key] = highest
    return adjusted


def _judge(
    one: Statement, found: Found, p_holm: float | None, findings: Findings, published: pd.DataFrame
) -> dict[str, Any]:
    row = found.row
    verdict = UNDECIDED if one.confirmatory else EXPLORATORY
    if row is not None and p_holm is not None and p_holm < 1 - findings.confidence:
        verdict = HOLDS if (row["estimate"] > one.bound) == (one.side == "above") else FAILS
    return {
        **describe(one),
        **{name: None if row is None or pd.isna(row[name]) else row[name] for name in MEASURED},
        "cluster": "" if row is None else "multisets" if row["split"] else "matrices",
        "by_seed": dict(found.by_seed),
        "note": found.note,
        "p_holm": p_holm,
        "verdict": verdict,
        "published": [measure_published(published, comparison) for comparison in one.published],
    }


def summarise_study(claims: Sequence[Mapping[str, Any]], findings: Findings, splits: Sequence[str]) -> dict[str, Any]:
    """Gather the figures by which two studies are compared.

    Returns:
        ``pass_at_1`` by split and model (checkpoints by role, and RL), the estimate of every statement by its key,
        and the numbers of verdicts.
    """
    models = findings.models
    named = models.loc[models["kind"].isin(("base", "sft", "rl")) & (models["role"] != "step"), "model"]
    verdicts = [row["verdict"] for row in claims]
    return {
        "pass_at_1": {split: {model: round(findings.level(model, split), 6) for model in named} for split in splits},
        "claims": {row["key"]: round(row["estimate"], 6) for row in claims if row["estimate"] is not None},
        "verdicts": {verdict.replace(" ", "_"): verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)},
    }
