"""Spectra of whole checkpoints, matrix by matrix, in processes side by side."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from torch import Tensor

from card24_pipeline.checkpoints.reader import Checkpoint, check_same_model, open_folder
from card24_pipeline.checkpoints.selection import Place, describe_tensors, is_layer_matrix
from card24_pipeline.evaluation.processes import map_in_processes
from card24_pipeline.spectral.decomposition import MatrixHistory
from card24_pipeline.spectral.movement import Row, SpectraSettings, measure_change, measure_return


@dataclass(frozen=True)
class Change:
    """A pair of checkpoints to compare.

    Attributes:
        pair: What kind of pair it is, such as ``base_to_sft``.
        step: SFT step that tells the pairs of a kind apart.
        before: Name of the checkpoint before, as ``after`` that of the other.
        by_index: Whether every index is to be tabled too.
        references: Names of checkpoints of which is asked whether the change went toward them.
        return_fraction: Share of the singular directions whose angles to these are taken.
    """

    pair: str
    step: int
    before: str
    after: str
    by_index: bool = False
    references: tuple[str, ...] = ()
    return_fraction: float = 0.0


def measure_spectra_of(
    folders: Mapping[str, Path],
    changes: Sequence[Change],
    settings: SpectraSettings,
    *,
    open_at: Callable[[Path], Checkpoint] = open_folder,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Measure every attention and MLP matrix between pairs of checkpoints, beside the null models.

    Each matrix of each checkpoint is decomposed once. A process holds one matrix of every checkpoint at a time.

    Args:
        folders: Checkpoint folders by the names that ``changes`` use.
        settings: Bands and null models.
        open_at: Opens a folder; importable by name, since other processes call it.

    Returns:
        Rows of all matrices: by band, by index, and of the way to references (see ``spectral.movement``).

    Raises:
        CheckpointError: If the folders do not hold the same model.
    """
    with ExitStack() as stack:
        first, *others = (stack.enter_context(open_at(folder)) for folder in folders.values())
        for other in others:
            check_same_model(other, first)
        places, shapes = describe_tensors(first)
    jobs = [(name, place) for name, place in places.items() if is_layer_matrix(place, shapes[name])]
    measure = partial(_measure_matrix, folders, changes, settings, open_at)
    parts = map_in_processes(measure, jobs, description="Spectra", unit="matrix")
    bands, indices, returns = (pd.DataFrame([row for part in parts for row in part[kind]]) for kind in range(3))
    return bands, indices, returns


def _measure_matrix(
    folders: Mapping[str, Path],
    changes: Sequence[Change],
    settings: SpectraSettings,
    open_at: Callable[[Path], Checkpoint],
    job: tuple[str, Place],
) -> tuple[list[Row], list[Row], list[Row]]:
    name, place = job

    def read(key: str) -> Tensor:
        with open_at(folders[key]) as checkpoint:
            return checkpoint.read(name)

    history = MatrixHistory(name, read)
    kind = name.removesuffix(".weight").rsplit(".", 1)[-1]
    identity = {"tensor": name, "part": place.part.value, "kind": kind, "layer": place.layer}
    bands, indices, returns = [], [], []
    for one in changes:
        by_band, by_index = measure_change(history, one.before, one.after, settings, by_index=one.by_index)
        back = measure_return(history, one.before, one.after, one.references, one.return_fraction)
        about = {"pair": one.pair, "step": one.step, **identity}
        bands += [{**about, "depth": place.depth, **row} for row in by_band]
        indices += [about | row for row in by_index]
        returns += [about | row for row in back]
    return bands, indices, returns
