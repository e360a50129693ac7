"""What is to be published, in plain values: nothing here knows of a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.study.rows import read_rows

EDITED_STEP = 0
"""Step of the metrics of a model that no training made."""

PAGE_SUFFIX = ".html"
"""Of a file that shows the study and is no part of it."""


class PublishingError(ValueError):
    """A study could not be published: its store cannot be used, or one of its files is not what it should be."""


@dataclass(frozen=True)
class Measurement:
    """One value of a metric, at a step."""

    name: str
    value: float
    step: int


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        key: Names the run within its study.
        kind: study, base, sft, rl or recovery.
        params: What was chosen.
        metrics: What was measured; of several values of a metric, that of the highest step stands for the run.
        tags: What helps to find it.
    """

    key: str
    kind: str
    params: Mapping[str, str]
    metrics: tuple[Measurement, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyRecord:
    """A study: the parent run, its children, and the files that the parent keeps copies of."""

    digest: str
    parent: RunRecord
    children: tuple[RunRecord, ...]
    files: tuple[Path, ...]

    @property
    def runs(self) -> int:
        """How many runs it has, with the parent."""
        return 1 + len(self.children)


def measure(values: Mapping[str, float], step: int) -> list[Measurement]:
    """Make measurements of one step, leaving out what is not a finite number: it was not measured."""
    return [Measurement(name, float(value), step) for name, value in values.items() if isfinite(value)]


def measure_history(history: pd.DataFrame, step: str, prefix: str) -> list[Measurement]:
    """Make measurements of a training history with one row for each value of the column ``step``.

    ``prefix`` and a slash go before every other column's name: MLflow groups its charts by it.
    """
    columns = [str(name) for name in history.columns if name != step]
    return [
        measurement
        for row in read_rows(history.sort_values(step))
        for measurement in measure({f"{prefix}/{name}": row[name] for name in columns}, int(row[step]))
    ]


def describe(**choices: Any) -> dict[str, str]:
    """Write parameters as they stand in a parameter file, numbers without needless digits, and none that are empty."""
    return {name: _write(value) for name, value in choices.items() if value is not None and value != ""}


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
