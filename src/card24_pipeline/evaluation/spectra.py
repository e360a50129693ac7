"""Spectra of whole checkpoints, matrix by matrix, in processes side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.checkpoints.reader import Checkpoint, check_same_model, open_folder
from card24_pipeline.checkpoints.selection import Place, describe_tensors, is_layer_matrix
from card24_pipeline.evaluation.processes import map_in_processes

Row = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A pair of checkpoints to compare.

    Attributes:
        pair: What kind of pair it is, such as ``base_to_sft``.
        step: SFT step that tells the pairs of a kind apart.
        before: Name of the checkpoint before.
        after: Name of the checkpoint after.
        by_index: Whether every index is to be tabled too.
    """

    pair: str
    step: int
    before: str
    after: str
    by_index: bool = False


@dataclass(frozen=True)
class NullModels:
    """Draws of each null model, and their seed."""

    draws: int
    seed: int


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
    """Rows of all matrices: by band, by index and of returns (see ``spectral.movement``)."""

    bands: pd.DataFrame
    indices: pd.DataFrame
    returns: pd.DataFrame


def measure_spectra_of(
    folders: Mapping[str, Path],
    changes: Sequence[Change],
    fractions: Sequence[float],
    nulls: NullModels,
    returns: Sequence[Return] = (),
    *,
    open_at: Callable[[Path], Checkpoint] = open_folder,
) -> Spectra:
    """Measure every attention and MLP matrix between pairs of checkpoints, beside the null models.

    Each matrix of each checkpoint is decomposed once. A process holds one matrix of every checkpoint at a time.

    Args:
        folders: Checkpoint folders by the names that ``changes`` and ``returns`` use.
        changes: Pairs to compare.
        fractions: Sizes of the bands, as fractions of the number of singular values.
        nulls: Null models.
        returns: Changes to hold against third checkpoints.
        open_at: Opens a folder; importable by name, since other processes call it.

    Raises:
        CheckpointError: If the folders do not hold the same model.
    """
    with ExitStack() as stack:
        first, *others = (stack.enter_context(open_at(folder)) for folder in folders.values())
        for other in others:
            check_same_model(other, first)
        places, shapes = describe_tensors(first)
    jobs = [(name, place) for name, place in places.items() if is_layer_matrix(place, shapes[name])]
    measure = partial(_measure_matrix, folders, changes, fractions, nulls, returns, open_at)
    parts = map_in_processes(measure, jobs, description="Spectra", unit="matrix")
    bands, indices, back = (pd.DataFrame([row for part in parts for row in part[kind]]) for kind in range(3))
    return Spectra(bands, indices, back)


def _measure_matrix(
    folders: Mapping[str, Path],
    changes: Sequence[Change],
    fractions: Sequence[float],
    nulls: NullModels,
    returns: Sequence[Return],
    open_at: Callable[[Path], Checkpoint],
    job: tuple[str, Place],
) -> tuple[list[Row], list[Row], list[Row]]:
    """Measure one matrix, in a process of its own."""
    from card24_pipeline.spectral.movement import MatrixHistory, measure_change, measure_return

    name, place = job
    weights = {}
    for key, folder in folders.items():
        with open_at(folder) as checkpoint:
            weights[key] = checkpoint.read(name)
    history = MatrixHistory(name, weights)
    kind = name.removesuffix(".weight").rsplit(".", 1)[-1]
    identity = {"tensor": name, "part": place.part.value, "kind": kind, "layer": place.layer}
    bands: list[Row] = []
    indices: list[Row] = []
    for change in changes:
        about = {"pair": change.pair, "step": change.step, **identity}
        by_band, by_index = measure_change(
            history,
            change.before,
            change.after,
            fractions=fractions,
            null_draws=nulls.draws,
            seed=nulls.seed,
            by_index=change.by_index,
        )
        bands += [{**about, "depth": place.depth, **row} for row in by_band]
        indices += [about | row for row in by_index]
    back = [
        {**one.facts, **identity, **row}
        for one in returns
        for row in measure_return(
            history, start=one.start, after=one.after, references=one.references, fraction=one.fraction
        )
    ]
    return bands, indices, back
