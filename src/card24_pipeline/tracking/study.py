"""A study put together from its tables, settings and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from card24_pipeline.checkpoints.manifest import digest_file
from card24_pipeline.parameters.plain import to_plain
from card24_pipeline.tracking.children import ChildBuilder, StudyTables
from card24_pipeline.tracking.digests import digest_settings, digest_study, digest_table
from card24_pipeline.tracking.headline import count_verdicts, describe_study, read_pooled, read_statements
from card24_pipeline.tracking.records import PAGE_SUFFIX, RunRecord, StudyRecord, measure
from card24_pipeline.tracking.settings import flatten_settings

CLAIMS = "claims.json"
SETTINGS = "parameters"


def digest_artifacts(tables: StudyTables, settings: Mapping[str, Any], files: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 of everything that a study is made of, by name.

    A file that is not there has no entry, so that its absence counts as well. Nor has a page, which shows what the
    others hold and names the machine that drew it.
    """
    digests = {name: digest_table(table) for name, table in vars(tables).items()}
    digests |= {path.name: digest_file(path) for path in files if path.is_file() and path.suffix != PAGE_SUFFIX}
    return dict(sorted((digests | {SETTINGS: digest_settings(flatten_settings(settings))}).items()))


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
    digest, flat = digest_study(artifacts), flatten_settings(settings)
    present = {path.name: path for path in files if path.is_file()}
    statements = read_statements(present.get(CLAIMS, Path(CLAIMS)))
    seeds = sorted(int(seed) for seed in tables.sft_scores["seed"].unique())
    parent = RunRecord(
        key=f"study {digest[:12]}",
        kind="study",
        params={"scale": scale, "seeds": ", ".join(map(str, seeds))} | flat,
        metrics=tuple(measure(count_verdicts(statements) | read_pooled(metrics), 0)),
        tags={"mlflow.note.content": describe_study(scale, seeds, digest, statements), **provenance},
    )
    arms = {name: to_plain(settings[name]) for name in ("rl_arms", "edit_arms")}
    children = ChildBuilder(tables, arms, checkpoints).build()
    return StudyRecord(digest, parent, children, tuple(present.values()))
