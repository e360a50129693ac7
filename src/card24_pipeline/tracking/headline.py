"""The parent run: what all seeds say together, out of the report's files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from card24_pipeline.tracking.errors import PublishingError

VERDICTS = {
    "holds": "statements_that_hold",
    "does not hold": "statements_that_do_not_hold",
    "undecided": "statements_undecided",
    "exploratory": "statements_exploratory",
}


def read_statements(claims: Path) -> list[dict[str, Any]]:
    """Read the statements that the study judged, none where the file is missing.

    Raises:
        PublishingError: If the file is not a list of statements with text and verdict.
    """
    if not claims.is_file():
        return []
    try:
        statements: list[dict[str, Any]] = json.loads(claims.read_text(encoding="utf-8"))["statements"]
        unknown = sorted({str(statement["verdict"]) for statement in statements} - set(VERDICTS))
        untold = [statement for statement in statements if not statement["text"]]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise PublishingError(
            f"{claims}: expected `statements`, each with `text` and `verdict`, but {type(error).__name__}: {error}"
        ) from error
    if unknown:
        raise PublishingError(f"{claims}: verdict: expected one of {', '.join(VERDICTS)}, got {', '.join(unknown)}")
    if untold:
        raise PublishingError(f"{claims}: text: {len(untold)} statements have none")
    return statements


def count_verdicts(statements: list[dict[str, Any]]) -> dict[str, float]:
    """Count the statements by verdict, nothing where there are none."""
    counts = Counter(statement["verdict"] for statement in statements)
    return {name: float(counts[verdict]) for verdict, name in VERDICTS.items()} if statements else {}


def read_pooled(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Read pass@1 over all seeds out of the headline figures, as shares such as ``main/end ood_pass_at_1``."""
    return {
        f"{model} {split}_pass_at_1": level
        for split, levels in metrics["pass_at_1"].items()
        for model, level in levels.items()
    }


def describe_study(scale: str, seeds: list[int], digest: str, statements: list[dict[str, Any]]) -> str:
    """Write the note that MLflow shows above a study's run."""
    lines = [
        f"Study of scale **{scale}** over the seeds {', '.join(map(str, seeds))}, of the artifacts with the digest "
        f"`{digest}`. Its children are the models: the base, the checkpoints of SFT and RL, and the edits. "
        "Reports, figures and tables are among the artifacts.",
    ]
    if statements:
        lines += ["", *(f"- {statement['text']}: **{statement['verdict']}**" for statement in statements)]
    return "\n".join(lines)
