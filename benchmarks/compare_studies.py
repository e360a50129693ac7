"""Sets the committed study beside the one of an earlier revision, for instance one that ran on another processor.

``python -m benchmarks.compare_studies <revision> <what that was> <what this is> [<key> …]`` writes
``data/08_reporting/base/other_study.md``; the keys are those of statements that have been judged otherwise since.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from benchmarks import PROJECT
from card24_pipeline.findings.accuracy import LEVEL
from card24_pipeline.page.tables import to_markdown
from card24_pipeline.study.numbers import write_interval
from card24_pipeline.study.vocabulary import ALL_HANDS, POOLED

FOLDER = "data/08_reporting/base"
CLAIMS, ESTIMATES = f"{FOLDER}/claims.json", f"{FOLDER}/estimates.csv"
TABLE = PROJECT / FOLDER / "other_study.md"
OOD = "ood"  # the rule that the default study's claims are about
Statement = Mapping[str, Any]


def pair_statements(
    there: Sequence[Statement], here: Sequence[Statement], changed: Collection[str] = ()
) -> list[tuple[Statement, Statement]]:
    """Pair the statements that both studies measured in the same way.

    Args:
        there: The other study's statements.
        here: This one's.
        changed: Keys of statements that have been judged otherwise since; one that asks something else has another key.
    """
    measured = {row["key"]: row for row in there if row["estimate"] is not None and row["key"] not in changed}
    return [(measured[row["key"]], row) for row in here if row["key"] in measured and row["estimate"] is not None]


def pair_models(there: pd.DataFrame, here: pd.DataFrame) -> list[tuple[Statement, Statement]]:
    """Pair the OOD pass@1 of the checkpoints and edits that both studies have.

    Args:
        there: The other study's estimates.
        here: This one's.
    """
    levels = [
        table[
            (table["quantity"] == LEVEL)
            & (table["split"] == OOD)
            & (table["hands"] == ALL_HANDS)
            & (table["scope"] == POOLED)
            & ~table["subject"].str.contains("/step ")  # those of SFT stand there by their roles too
        ].set_index("subject")
        for table in (there, here)
    ]
    both = [model for model in levels[1].index if model in levels[0].index]
    return [(levels[0].loc[model].to_dict(), levels[1].loc[model].to_dict()) for model in both]


def agree(one: Statement, other: Statement) -> bool:
    """Say whether the estimate of each study lies in the other's interval."""
    pairs = ((one, other), (other, one))
    return all(outer["low"] <= inner["estimate"] <= outer["high"] for inner, outer in pairs)


def render_comparison(
    pairs: Sequence[tuple[Statement, Statement]],
    models: Sequence[tuple[Statement, Statement]],
    left_out: int,
    revision: str,
    names: tuple[str, str],
) -> str:
    """Write the page: what is compared, how many figures and verdicts changed, and every statement."""
    rows = [
        {
            "statement": here["text"],
            f"{names[0]} ({revision})": f"**{there['verdict']}** {write_interval(there, there['unit'])}",
            names[1]: f"**{here['verdict']}** {write_interval(here, here['unit'])}",
            "each estimate within the other's interval": "yes" if agree(here, there) else "no",
        }
        for there, here in pairs
    ]
    outside, strayed = (sum(not agree(*pair) for pair in compared) for compared in (pairs, models))
    changed = sum(there["verdict"] != here["verdict"] for there, here in pairs)
    return (
        "# The same study run twice\n\n"
        f"Everything from nothing, the base too, once on {names[0]} and once on {names[1]}, with the same seeds. "
        "Processors round otherwise, and training carries that on, so the two differ as two draws of the training's "
        f"noise do. {left_out} statements that were asked or judged otherwise at {revision}, or not measured in both, "
        "are left out. Made by `python -m benchmarks.compare_studies`.\n\n"
        f"Of {len(pairs)} statements, {outside} have an estimate outside the interval that the other study gave, and "
        f"{changed} have another verdict. Of {len(models)} checkpoints and edits, {strayed} have an OOD pass@1 "
        "outside the other's.\n\n"
        f"{to_markdown(rows)}\n"
    )


def main() -> None:
    """Compare and write the page."""
    if len(sys.argv) < 4:
        sys.exit("usage: python -m benchmarks.compare_studies <revision> <what that was> <what this is> [<key> …]")
    revision, that, this, *changed = sys.argv[1:]
    then = json.loads(_read_at(revision, CLAIMS))["statements"]
    now = json.loads((PROJECT / CLAIMS).read_text(encoding="utf-8"))["statements"]
    models = pair_models(pd.read_csv(io.StringIO(_read_at(revision, ESTIMATES))), pd.read_csv(PROJECT / ESTIMATES))
    pairs = pair_statements(then, now, changed)
    page = render_comparison(pairs, models, len(now) - len(pairs), revision, (that, this))
    TABLE.write_text(page, encoding="utf-8")
    print(TABLE.relative_to(PROJECT))


def _read_at(revision: str, path: str) -> str:
    done = subprocess.run(
        ["git", "show", f"{revision}:{path}"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{path} at {revision}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
