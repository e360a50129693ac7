"""How the singular values and vectors of one matrix moved between checkpoints, beside two null models."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zlib import crc32

import torch
from torch import Generator, Tensor
from torch.linalg import matrix_norm

from card24_pipeline.spectral.decomposition import Factors, MatrixHistory, count_directions, decompose
from card24_pipeline.spectral.null_models import draw_gaussian_delta, draw_spectrum_matched_delta
from card24_pipeline.spectral.subspaces import (
    Band,
    measure_alignment,
    measure_energy_inside,
    measure_relative_shift,
    measure_spectral_gaps,
    principal_angles,
    slice_band,
)

OBSERVED, GAUSSIAN, SPECTRUM_MATCHED = MODELS = ("observed", "gaussian", "spectrum_matched")
Row = dict[str, Any]


@dataclass(frozen=True)
class SpectraSettings:
    """What is measured.

    Attributes:
        fractions: Sizes of the bands, as fractions of the number of singular values.
        null_draws: Draws of each null model.
        seed: Seed of the draws.
    """

    fractions: Sequence[float]
    null_draws: int
    seed: int


@dataclass(frozen=True)
class Movement:
    """One matrix before and after, and what lies between."""

    before: Factors
    after: Factors
    delta: Tensor

    @cached_property
    def signed_shift(self) -> Tensor:
        """(σ' − σ) / σ for each index; NaN where σ is 0 to rounding."""
        return measure_relative_shift(self.before.values, self.after.values)


def measure_bands(movement: Movement, fractions: Iterable[float]) -> Iterator[Row]:
    """Measure the movement by index band: the whole, then top, bulk and tail for each fraction.

    Returns:
        Rows with ``band``, ``fraction``, ``directions``; medians of ``relative_sigma_shift`` |σ' − σ|/σ and of
        ``signed_sigma_shift``; mean and largest principal angle between the band's subspaces before and after, left
        and right, in degrees; ``energy_inside``, the share of ‖ΔW‖² inside the band's subspaces before.
    """
    shape = tuple(movement.delta.shape)
    yield _measure_band(movement, slice(None), band="all", fraction=1.0)
    for fraction in fractions:
        count = count_directions(fraction, shape)
        for band in Band if count else ():  # a fraction of a small matrix may be no direction at all
            chosen = slice_band(min(shape), band, count)
            yield _measure_band(movement, chosen, band=band.value, fraction=fraction)


def _measure_band(movement: Movement, chosen: slice, *, band: str, fraction: float) -> Row:
    before, after = movement.before, movement.after
    angles: dict[str, float] = {}
    for side, old, new in (("left", before.left, after.left), ("right", before.right.T, after.right.T)):
        turned = principal_angles(old[:, chosen], new[:, chosen]).rad2deg() if band != "all" else None
        angles[f"{side}_angle_degrees"] = math.nan if turned is None else float(turned.mean())
        angles[f"{side}_angle_max_degrees"] = math.nan if turned is None else float(turned.max())
    shift = movement.signed_shift[chosen]
    return {
        "band": band,
        "fraction": fraction,
        "directions": len(before.values[chosen]),
        "relative_sigma_shift": float(shift.abs().nanmedian()),
        "signed_sigma_shift": float(shift.nanmedian()),
        **angles,
        "energy_inside": measure_energy_inside(movement.delta, before, chosen),
    }


def measure_indices(movement: Movement) -> dict[str, Tensor]:
    """Measure the movement of every index.

    Returns:
        float64 tensors of length r: ``relative_sigma_shift``; ``left_cosine`` and ``right_cosine``, the |cos| between
        the i-th vectors before and after; ``relative_gap``, the distance of σᵢ to its nearest neighbour before, over
        the spectral norm of ΔW.
    """
    left, right = measure_alignment(movement.before, movement.after)
    return {
        "relative_sigma_shift": movement.signed_shift.abs(),
        "left_cosine": left.double(),
        "right_cosine": right.double(),
        "relative_gap": measure_spectral_gaps(movement.before.values) / matrix_norm(movement.delta.double(), 2),
    }


def measure_change(
    history: MatrixHistory, before: str, after: str, settings: SpectraSettings, *, by_index: bool = False
) -> tuple[list[Row], list[Row]]:
    """Measure one matrix between two checkpoints, and as each null model would have moved it.

    The names of both checkpoints and of the matrix also seed the draws.

    Returns:
        Rows by band and, where asked for, by index (nulls averaged over their draws).
    """
    weight = history.tensor(before).float()
    delta = history.tensor(after).float() - weight
    observed = Movement(history.factors(before), history.factors(after), delta)
    facts = {"rows": weight.shape[0], "columns": weight.shape[1]}
    norm_ratio = float(delta.norm() / weight.norm())
    bands: list[Row] = []
    indices: list[Row] = []
    for model in MODELS:
        text = f"{history.name} {before} {after} {model}"
        generator = Generator().manual_seed((settings.seed << 32) + crc32(text.encode()))
        nulls = _draw_null(model, weight, observed, settings.null_draws, generator)
        by_draw = []
        for draw, movement in enumerate([observed] if model == OBSERVED else nulls):
            changed = float((delta != 0).double().mean()) if model == OBSERVED else math.nan
            about = {**facts, "model": model, "draw": draw, "norm_ratio": norm_ratio, "changed_share": changed}
            bands += [about | row for row in measure_bands(movement, settings.fractions)]
            by_draw += [measure_indices(movement)] if by_index else []
        if by_draw:
            indices += [{"model": model} | row for row in _list_indices(_average_draws(by_draw))]
    return bands, indices


def _draw_null(model: str, weight: Tensor, observed: Movement, draws: int, generator: Generator) -> Iterator[Movement]:
    """Yield the movements of a null model, one draw after another."""
    delta = observed.delta
    values = decompose(delta).values if model == SPECTRUM_MATCHED and draws else None
    for _ in range(draws):
        if values is None:
            drawn = draw_gaussian_delta(delta, generator)
        else:
            drawn = draw_spectrum_matched_delta(values, tuple(delta.shape), generator)
        yield Movement(observed.before, decompose(weight + drawn), drawn)


def _average_draws(draws: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Average each measure over draws; cosines by way of their angles, whose mean is what is read off them."""
    means = {}
    for name in draws[0]:
        stacked = torch.stack([draw[name] for draw in draws])
        means[name] = stacked.acos().mean(dim=0).cos() if name.endswith("cosine") else stacked.mean(dim=0)
    return means


def _list_indices(columns: Mapping[str, Tensor]) -> Iterator[Row]:
    plain = {name: values.tolist() for name, values in columns.items()}
    count = len(next(iter(plain.values())))
    for index in range(count):
        position = index / max(count - 1, 1)
        yield {"index": index, "position": position} | {name: values[index] for name, values in plain.items()}


def measure_return(
    history: MatrixHistory, start: str, after: str, references: Sequence[str], fraction: float
) -> Iterator[Row]:
    """Measure whether a change of one matrix, from ``start`` to ``after``, turned it toward other checkpoints.

    ``fraction`` is the share of the singular directions whose principal angles to a reference are taken.

    Returns:
        For each ``reference`` R other than the start: ``projection`` ⟨after − start, R − start⟩,
        ``distance_squared`` ‖R − start‖², ``norm_squared`` ‖after − start‖², and the mean principal angles of the top
        subspaces to those of R, in degrees, before and after the change.
    """
    origin = history.tensor(start).double()
    moved = history.tensor(after).double() - origin
    count = count_directions(fraction, tuple(origin.shape))
    for reference in references:
        if reference == start:
            continue
        away = history.tensor(reference).double() - origin
        target = history.factors(reference)
        angles = {}
        for moment, name in (("before", start), ("after", after)):
            found = history.factors(name)
            left = principal_angles(found.left[:, :count], target.left[:, :count])
            right = principal_angles(found.right[:count].T, target.right[:count].T)
            angles[f"left_angle_{moment}_degrees"] = float(left.rad2deg().mean())
            angles[f"right_angle_{moment}_degrees"] = float(right.rad2deg().mean())
        yield {
            "reference": reference,
            "projection": float((moved * away).sum()),
            "distance_squared": float(away.square().sum()),
            "norm_squared": float(moved.square().sum()),
            **angles,
        }
