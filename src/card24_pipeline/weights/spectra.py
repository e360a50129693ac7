"""How the singular values and vectors of one matrix moved between checkpoints, beside two null models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zlib import crc32

from card24_pipeline.checkpoints.selection import Place

if TYPE_CHECKING:
    import torch

    from card24_pipeline.spectral.decomposition import Factors

OBSERVED, GAUSSIAN, SPECTRUM_MATCHED = MODELS = ("observed", "gaussian", "spectrum_matched")


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
class SpectraSettings:
    """What is measured.

    Attributes:
        fractions: Sizes of the bands, as fractions of the number of singular values.
        null_draws: Draws of each null model.
        seed: Seed of the draws.
    """

    fractions: tuple[float, ...]
    null_draws: int
    seed: int


class MatrixHistory:
    """One matrix in several checkpoints; each is decomposed once, when first asked for."""

    def __init__(self, name: str, place: Place, weights: Mapping[str, torch.Tensor]) -> None:
        """Take the matrix's name and place, and its weights by checkpoint (m × n, any float dtype)."""
        self.name = name
        self.place = place
        self._weights = weights
        self._factors: dict[str, Factors] = {}

    def weight(self, checkpoint: str) -> torch.Tensor:
        """Return the matrix of a checkpoint in float32."""
        return self._weights[checkpoint].float()

    def factors(self, checkpoint: str) -> Factors:
        """Return the factors of a checkpoint's matrix."""
        from card24_pipeline.spectral.decomposition import decompose

        if checkpoint not in self._factors:
            self._factors[checkpoint] = decompose(self.weight(checkpoint))
        return self._factors[checkpoint]

    @property
    def identity(self) -> dict[str, Any]:
        """Columns that tell which matrix this is."""
        kind = self.name.removesuffix(".weight").rsplit(".", 1)[-1]
        return {"tensor": self.name, "part": self.place.part.value, "kind": kind, "layer": self.place.layer}


@dataclass(frozen=True)
class Movement:
    """One matrix before and after, and what lies between."""

    before: Factors
    after: Factors
    delta: torch.Tensor

    @cached_property
    def signed_shift(self) -> torch.Tensor:
        """(σ' − σ) / σ for each index; NaN where σ is 0 to rounding."""
        from card24_pipeline.spectral.subspaces import measure_relative_shift

        return measure_relative_shift(self.before.values, self.after.values)


def measure_bands(movement: Movement, fractions: Iterable[float]) -> Iterator[dict[str, Any]]:
    """Measure the movement by index band: the whole, then top, bulk and tail for each fraction.

    Returns:
        Rows with ``band``, ``fraction``, ``directions``; medians of ``relative_sigma_shift`` |σ' − σ|/σ and of
        ``signed_sigma_shift``; mean and largest principal angle between the band's subspaces before and after, left
        and right, in degrees; ``energy_inside``, the share of ‖ΔW‖² inside the band's subspaces before.
    """
    from card24_pipeline.spectral.decomposition import count_directions
    from card24_pipeline.spectral.subspaces import Band, slice_band

    shape = tuple(movement.delta.shape)
    yield _measure_band(movement, slice(None), band="all", fraction=1.0)
    for fraction in fractions:
        count = count_directions(fraction, shape)
        for band in Band if count else ():  # a fraction of a small matrix may be no direction at all
            chosen = slice_band(min(shape), band, count)
            yield _measure_band(movement, chosen, band=band.value, fraction=fraction)


def _measure_band(movement: Movement, chosen: slice, *, band: str, fraction: float) -> dict[str, Any]:
    from card24_pipeline.spectral.subspaces import measure_energy_inside, principal_angles

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


def measure_indices(movement: Movement) -> dict[str, torch.Tensor]:
    """Measure the movement of every index.

    Returns:
        float64 tensors of length r: ``relative_sigma_shift``; ``left_cosine`` and ``right_cosine``, the |cos| between
        the i-th vectors before and after; ``relative_gap``, the distance of σᵢ to its nearest neighbour before, over
        the spectral norm of ΔW.
    """
    from torch.linalg import matrix_norm

    from card24_pipeline.spectral.subspaces import measure_alignment, measure_spectral_gaps

    left, right = measure_alignment(movement.before, movement.after)
    return {
        "relative_sigma_shift": movement.signed_shift.abs(),
        "left_cosine": left.double(),
        "right_cosine": right.double(),
        "relative_gap": measure_spectral_gaps(movement.before.values) / matrix_norm(movement.delta.double(), 2),
    }


def measure_change(
    history: MatrixHistory, change: Change, settings: SpectraSettings
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Measure one matrix between two checkpoints, and as each null model would have moved it.

    Returns:
        Rows by band and, where the change asks for them, by index (nulls averaged over their draws).
    """
    weight = history.weight(change.before)
    delta = history.weight(change.after) - weight
    before = history.factors(change.before)
    identity = {"pair": change.pair, "step": change.step, **history.identity}
    facts = {"rows": weight.shape[0], "columns": weight.shape[1], "depth": history.place.depth}
    norm_ratio = float(delta.norm() / weight.norm())
    bands: list[dict[str, Any]] = []
    indices: list[dict[str, Any]] = []
    for model, movements in (
        (OBSERVED, [Movement(before, history.factors(change.after), delta)]),
        *((null, _draw_null(null, history, change, settings, weight, delta)) for null in (GAUSSIAN, SPECTRUM_MATCHED)),
    ):
        by_draw = []
        for draw, movement in enumerate(movements):
            moved = float((movement.delta != 0).double().mean()) if model == OBSERVED else math.nan
            about = {**identity, **facts, "model": model, "draw": draw, "norm_ratio": norm_ratio}
            bands += [about | {"changed_share": moved} | row for row in measure_bands(movement, settings.fractions)]
            by_draw += [measure_indices(movement)] if change.by_index else []
        if by_draw:
            indices += [identity | {"model": model} | row for row in _list_indices(_average_draws(by_draw))]
    return bands, indices


def _draw_null(
    model: str,
    history: MatrixHistory,
    change: Change,
    settings: SpectraSettings,
    weight: torch.Tensor,
    delta: torch.Tensor,
) -> Iterator[Movement]:
    """Yield the movements of a null model, one draw after another."""
    import torch

    from card24_pipeline.spectral.decomposition import decompose
    from card24_pipeline.spectral.null_models import draw_gaussian_delta, draw_spectrum_matched_delta

    text = f"{history.name} {change.before} {change.after} {model}"
    generator = torch.Generator().manual_seed((settings.seed << 32) + crc32(text.encode()))
    values = decompose(delta).values if model == SPECTRUM_MATCHED and settings.null_draws else None
    for _ in range(settings.null_draws):
        if values is None:
            drawn = draw_gaussian_delta(delta, generator)
        else:
            drawn = draw_spectrum_matched_delta(values, tuple(delta.shape), generator)
        yield Movement(history.factors(change.before), decompose(weight + drawn), drawn)


def _average_draws(draws: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Average each measure over draws; cosines by way of their angles, whose mean is what is read off them."""
    import torch

    means = {}
    for name in draws[0]:
        stacked = torch.stack([draw[name] for draw in draws])
        means[name] = stacked.acos().mean(dim=0).cos() if name.endswith("cosine") else stacked.mean(dim=0)
    return means


def _list_indices(columns: Mapping[str, torch.Tensor]) -> Iterator[dict[str, Any]]:
    plain = {name: values.tolist() for name, values in columns.items()}
    count = len(next(iter(plain.values())))
    for index in range(count):
        position = index / max(count - 1, 1)
        yield {"index": index, "position": position} | {name: values[index] for name, values in plain.items()}


def measure_return(
    history: MatrixHistory, *, start: str, after: str, references: Sequence[str], fraction: float
) -> Iterator[dict[str, Any]]:
    """Measure whether a change turned one matrix toward references that lie elsewhere.

    Args:
        history: The matrix.
        start: Name of the checkpoint that the change began from.
        after: Name of the checkpoint that it led to.
        references: Names of the checkpoints that it may have moved toward.
        fraction: Share of the singular directions whose principal angles to the reference are taken.

    Returns:
        For each ``reference`` R other than the start: ``projection`` ⟨after − start, R − start⟩,
        ``distance_squared`` ‖R − start‖², ``norm_squared`` ‖after − start‖², and the mean principal angles of the top
        subspaces to those of R, in degrees, before and after the change.
    """
    from card24_pipeline.spectral.decomposition import count_directions
    from card24_pipeline.spectral.subspaces import principal_angles

    origin = history.weight(start).double()
    moved = history.weight(after).double() - origin
    count = count_directions(fraction, tuple(origin.shape))
    for reference in references:
        if reference == start:
            continue
        away = history.weight(reference).double() - origin
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
            **history.identity,
            "projection": float((moved * away).sum()),
            "distance_squared": float(away.square().sum()),
            "norm_squared": float(moved.square().sum()),
            **angles,
        }
