"""The parent run: what all seeds say together, out of the report's files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.tracking.errors import PublishingError
from card24_pipeline.tracking.records import read_rows

VERDICTS = {
    "holds": "statements_that_hold",
    "does not hold": "statements_that_do_not_hold",
    "undecided": "statements_undecided",
}
POOLED_MODELS = ("base", "max_ood", "end")
POOLED_SPLITS = ("ood", "id_seen", "id_heldout")


def read_statements(claims: Path) -> list[dict[str, Any]]:
    """Read the statements that the study judged, none where the file is missing.

    Raises:
        PublishingError: If the file is not a list of statements with text and verdict.
    """
    if not claims.is_file():
        return []
    try:
        statements: list[dict[str, Any]] = json.loads(claims.read_text(encoding="utf-8"))["statements"]
        strange = sorted({str(statement["verdict"]) for statement in statements} - set(VERDICTS))
        untold = [statement for statement in statements if not statement["text"]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise PublishingError(
            f"{claims}: expected `statements`, each with `text` and `verdict`, but {type(error).__name__}: {error}"
        ) from error
    if strange:
        raise PublishingError(f"{claims}: verdict: expected one of {', '.join(VERDICTS)}, got {', '.join(strange)}")
    if untold:
        raise PublishingError(f"{claims}: text: {len(untold)} statements have none")
    return statements


def count_verdicts(statements: list[dict[str, Any]]) -> dict[str, float]:
    """Count the statements by verdict, nothing where there are none."""
    counts = Counter(statement["verdict"] for statement in statements)
    return {name: float(counts[verdict]) for verdict, name in VERDICTS.items()} if statements else {}


def read_pooled(points: Path) -> dict[str, float]:
    """Read pass@1 of the base, MaxOOD and End over all seeds, nothing where the file is missing.

    Args:
        points: The table of recovery points, of which a row stands for each of these checkpoints.

    Returns:
        Shares such as ``max_ood_ood_pass_at_1``.

    Raises:
        PublishingError: If the file lacks a column or cannot be read as a table.
    """
    if not points.is_file():
        return {}
    columns = [f"{split}_pass_at_1" for split in POOLED_SPLITS]
    try:
        table = pd.read_csv(points, usecols=["variant", *columns])
    except ValueError as error:
        raise PublishingError(f"{points}: {error}") from error
    rows = {row["variant"]: row for row in read_rows(table)}
    return {f"{model}_{column}": rows[model][column] for model in POOLED_MODELS if model in rows for column in columns}


def describe_study(scale: str, seeds: list[int], digest: str, statements: list[dict[str, Any]]) -> str:
    """Write the note that MLflow shows above a study's run."""
    lines = [
        f"Study of scale **{scale}** over the seeds {', '.join(map(str, seeds))}, of the artifacts with the digest "
        f"`{digest}`. Its children are the models: the base, the checkpoints of SFT and RL, and the edits of End. "
        "Reports, figures and tables are among the artifacts.",
    ]
    if statements:
        lines += ["", *(f"- {statement['text']}: **{statement['verdict']}**" for statement in statements)]
    return "\n".join(lines)
