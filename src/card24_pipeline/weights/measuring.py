"""Spectra of whole checkpoints, matrix by matrix, in processes side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.checkpoints.reader import check_same_model, open_checkpoint
from card24_pipeline.checkpoints.selection import Place, is_matrix
from card24_pipeline.evaluation.processes import map_in_processes
from card24_pipeline.weights.editing import describe_tensors
from card24_pipeline.weights.edits import MATRIX_PARTS
from card24_pipeline.weights.spectra import (
    Change,
    MatrixHistory,
    SpectraSettings,
    measure_change,
    measure_return,
)


@dataclass(frozen=True)
class Return:
    """A change of which is asked whether it went toward other checkpoints.

    Attributes:
        facts: Columns that tell it apart.
        start: Name of the checkpoint that it began from.
        after: Name of the checkpoint that it led to.
        references: Names of the checkpoints that it may have gone toward.
        fraction: Share of the singular directions whose angles are taken.
    """

    facts: Mapping[str, Any]
    start: str
    after: str
    references: tuple[str, ...]
    fraction: float


@dataclass(frozen=True)
class Spectra:
    """Rows of all matrices: by band, by index and of returns (see ``weights.spectra``)."""

    bands: pd.DataFrame
    indices: pd.DataFrame
    returns: pd.DataFrame


def measure_spectra_of(
    folders: Mapping[str, Path],
    changes: Sequence[Change],
    settings: SpectraSettings,
    returns: Sequence[Return] = (),
) -> Spectra:
    """Measure every attention and MLP matrix between pairs of checkpoints, beside the null models.

    Each matrix of each checkpoint is decomposed once. A process holds one matrix of every checkpoint at a time.

    Args:
        folders: Checkpoint folders by the names that ``changes`` and ``returns`` use.
        changes: Pairs to compare.
        settings: Bands and null models.
        returns: Changes to hold against third checkpoints.

    Raises:
        CheckpointError: If the folders do not hold the same model.
    """
    with ExitStack() as stack:
        first, *others = (stack.enter_context(open_checkpoint(folder)) for folder in folders.values())
        for other in others:
            check_same_model(other, first)
        places, shapes = describe_tensors(first)
    names = [
        name
        for name, place in places.items()
        if place.part in MATRIX_PARTS and place.layer is not None and is_matrix(shapes[name])
    ]
    measure = partial(_measure_matrix, folders, changes, settings, returns)
    jobs = [(name, places[name]) for name in names]
    parts = map_in_processes(measure, jobs, description="Spectra", unit="matrix")
    bands, indices, back = (pd.DataFrame([row for part in parts for row in part[kind]]) for kind in range(3))
    return Spectra(bands, indices, back)


def _measure_matrix(
    folders: Mapping[str, Path],
    changes: Sequence[Change],
    settings: SpectraSettings,
    returns: Sequence[Return],
    job: tuple[str, Place],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Measure one matrix, in a process of its own."""
    name, place = job
    weights = {}
    for key, folder in folders.items():
        with open_checkpoint(folder) as checkpoint:
            weights[key] = checkpoint.read(name)
    history = MatrixHistory(name, place, weights)
    bands: list[dict[str, Any]] = []
    indices: list[dict[str, Any]] = []
    for change in changes:
        found = measure_change(history, change, settings)
        bands += found[0]
        indices += found[1]
    back = [
        {**one.facts, **row}
        for one in returns
        for row in measure_return(
            history, start=one.start, after=one.after, references=one.references, fraction=one.fraction
        )
    ]
    return bands, indices, back
