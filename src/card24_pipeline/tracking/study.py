"""A study put together from its tables, settings and files, under a digest that tells it from any other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from card24_pipeline.checkpoints.manifest import digest_file
from card24_pipeline.parameters.plain import to_plain
from card24_pipeline.study.vocabulary import EXPLORATORY, FAILS, HOLDS, UNDECIDED
from card24_pipeline.tracking.children import ChildBuilder, StudyTables
from card24_pipeline.tracking.records import PAGE_SUFFIX, PublishingError, RunRecord, StudyRecord, measure

if TYPE_CHECKING:
    import pandas as pd

CLAIMS = "claims.json"
SETTINGS = "parameters"
LAYOUT = 1
"""Raise it when runs come to show something else: then published studies are published anew beside the old."""

VERDICTS = {
    HOLDS: "statements_that_hold",
    FAILS: "statements_that_do_not_hold",
    UNDECIDED: "statements_undecided",
    EXPLORATORY: "statements_exploratory",
}


def put_study_together(
    tables: StudyTables,
    settings: Mapping[str, Any],
    files: Sequence[Path],
    metrics: Mapping[str, Any],
    *,
    scale: str,
    checkpoints: str,
    artifacts: Mapping[str, str],
    provenance: Mapping[str, str],
) -> StudyRecord:
    """Lay a study out as a parent run and its children.

    Args:
        tables: The tables of all its seeds.
        settings: Its parameters, nested as in the parameter file.
        files: Reports, figures and tables; those that do not exist are left out.
        metrics: The headline figures.
        scale: Name of the scale.
        checkpoints: Folder of the models, to which runs refer.
        artifacts: What ``digest_artifacts`` returned.
        provenance: Tags that tell where the publication comes from.

    Raises:
        PublishingError: If one of the files that are read is not what it should be.
    """
    digest = _digest({"layout": LAYOUT, "artifacts": artifacts})
    present = {path.name: path for path in files if path.is_file()}
    statements = read_statements(present[CLAIMS]) if CLAIMS in present else []
    seeds = sorted(int(seed) for seed in tables.sft_scores["seed"].unique())
    counts = Counter(statement["verdict"] for statement in statements)
    # A study of few replicates decides nothing: that none of its statements holds would say something.
    told = VERDICTS if set(counts) - {EXPLORATORY} else {verdict: VERDICTS[verdict] for verdict in counts}
    headline: dict[str, float] = {name: counts[verdict] for verdict, name in told.items()} if statements else {}
    for split, levels in metrics["pass_at_1"].items():
        headline |= {f"{model} {split}_pass_at_1": level for model, level in levels.items()}
    parent = RunRecord(
        key=f"study {digest[:12]}",
        kind="study",
        params={"scale": scale, "seeds": ", ".join(map(str, seeds))} | flatten_settings(settings),
        metrics=tuple(measure(headline, 0)),
        tags={"mlflow.note.content": _describe_study(scale, seeds, digest, statements), **provenance},
    )
    arms = {name: to_plain(settings[name]) for name in ("rl_arms", "edit_arms")}
    ood = next(iter(to_plain(settings["game"])["rules"]["ood"]))
    children = ChildBuilder(tables, arms, checkpoints, ood).build()
    return StudyRecord(digest, parent, children, tuple(present.values()))


def digest_artifacts(tables: StudyTables, settings: Mapping[str, Any], files: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 of everything that a study is made of, by name.

    A file that is not there has no entry, so that its absence counts as well. Nor has a page, which shows what the
    others hold and names the machine that drew it.
    """
    digests = {name: digest_table(table) for name, table in vars(tables).items()}
    digests |= {path.name: digest_file(path) for path in files if path.is_file() and path.suffix != PAGE_SUFFIX}
    return dict(sorted((digests | {SETTINGS: _digest(flatten_settings(settings))}).items()))


def digest_table(table: pd.DataFrame) -> str:
    """Return the SHA-256 of a table's columns and values in their order, written as CSV.

    Floats are written with the digits that tell them apart, so equal tables have equal digests whatever file format
    or library version they come from.
    """
    return sha256(table.to_csv(index=False, lineterminator="\n").encode()).hexdigest()


def _digest(content: Mapping[str, Any]) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def flatten_settings(settings: Mapping[str, Any]) -> dict[str, str]:
    """Name every leaf of nested settings by its path.

    Args:
        settings: Mappings, lists, numbers, text, true, false and null, as YAML has them, or the models that Kedro has
            made of them: those that were given stand as they were written, and defaults stay out.

    Returns:
        JSON of each leaf by its path, such as ``recovery.grid.0.method``, sorted; text stands without quotes. A list
        that holds no mapping is one leaf.
    """
    return dict(sorted(_walk("", to_plain(settings))))


def _walk(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        yield path, value if isinstance(value, str) else json.dumps(_write_whole(value), ensure_ascii=False)
        return
    for name, item in value.items():
        yield from _walk(f"{path}.{name}" if path else str(name), item)


def _write_whole(value: Any) -> Any:
    """Make whole floats integers: a model turns the 1 of a parameter file into 1.0."""
    if isinstance(value, list):
        return [_write_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def read_statements(claims: Path) -> list[dict[str, Any]]:
    """Read the statements that the study judged.

    Raises:
        PublishingError: If the file is not a list of statements with text and verdict.
    """
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


def _describe_study(scale: str, seeds: list[int], digest: str, statements: list[dict[str, Any]]) -> str:
    """Write the note that MLflow shows above a study's run."""
    lines = [
        f"Study of scale **{scale}** over the replicates {', '.join(map(str, seeds))}, of the artifacts with the "
        f"digest `{digest}`. Its children are the models: the base, the checkpoints of SFT and RL, and the edits. "
        "Reports, figures and tables are among the artifacts.",
    ]
    if {statement["verdict"] for statement in statements} == {EXPLORATORY}:
        lines += ["", "All of its statements are exploratory: estimates and intervals, see the artifacts."]
    elif statements:
        lines += ["", *(f"- {statement['text']}: **{statement['verdict']}**" for statement in statements)]
    return "\n".join(lines)
