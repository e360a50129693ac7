"""Editing a checkpoint tensor by tensor; every matrix is decomposed once, whatever the number of edits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.reader import Checkpoint, check_same_model
from card24_pipeline.checkpoints.selection import Part, Place, place_tensors
from card24_pipeline.weights.edits import VOCABULARY_PARTS, Edit, Method

if TYPE_CHECKING:
    import torch

    from card24_pipeline.spectral.decomposition import Factors


@dataclass(frozen=True)
class EditedTensor:
    """One tensor of the target after each edit, in the order of the edits; the target's own where untouched."""

    name: str
    place: Place
    tensors: list[torch.Tensor]


class Workbench:
    """One tensor of the target beside its donors', read and decomposed when first asked for."""

    def __init__(self, name: str, place: Place, donors: Mapping[str, Checkpoint], target: Checkpoint) -> None:
        """Take the tensor's name and place, and the checkpoints."""
        self.name = name
        self.place = place
        self._checkpoints = {("donor", key): donor for key, donor in donors.items()} | {("target", ""): target}
        self._made: dict[Any, Any] = {}

    @property
    def weight(self) -> torch.Tensor:
        """The target's tensor."""
        return self._read(("target", ""))

    @property
    def target_factors(self) -> Factors:
        """Factors of the target's matrix."""
        return self._decompose("target", lambda: self.weight)

    def donor_weight(self, donor: str) -> torch.Tensor:
        """Return a donor's tensor."""
        return self._read(("donor", donor))

    def donor_factors(self, donor: str) -> Factors:
        """Return the factors of a donor's matrix."""
        return self._decompose(("donor", donor), lambda: self.donor_weight(donor))

    def delta_factors(self, donor: str) -> Factors:
        """Return the factors of ΔW = target − donor."""
        return self._decompose(("delta", donor), lambda: self.weight.float() - self.donor_weight(donor).float())

    def turned_factors(self, donor: str, seed: int) -> Factors:
        """Return the factors of the target plus a random matrix with the singular values of ΔW."""
        from card24_pipeline.spectral.null_models import draw_spectrum_matched_delta

        delta = self.delta_factors(donor)
        shape = tuple(self.weight.shape)
        return self._decompose(
            ("turned", donor, seed),
            lambda: self.weight.float() + draw_spectrum_matched_delta(delta.values, shape, self.seed_generator(seed)),
        )

    def seed_generator(self, seed: int) -> torch.Generator:
        """Return a generator of this tensor's own."""
        import torch

        return torch.Generator().manual_seed((seed << 32) + crc32(self.name.encode()))

    def _read(self, key: tuple[str, str]) -> torch.Tensor:
        if ("weight", key) not in self._made:
            self._made["weight", key] = self._checkpoints[key].read(self.name)
        return self._made["weight", key]

    def _decompose(self, key: Any, make: Callable[[], torch.Tensor]) -> Factors:
        from card24_pipeline.spectral.decomposition import decompose

        if ("factors", key) not in self._made:
            self._made["factors", key] = decompose(make())
        return self._made["factors", key]


def describe_tensors(checkpoint: Checkpoint) -> tuple[dict[str, Place], dict[str, tuple[int, ...]]]:
    """Return the place and the shape of every tensor, without reading any.

    Raises:
        CheckpointError: If a tensor cannot be placed.
    """
    shapes = {name: checkpoint.describe(name).shape for name in checkpoint.names}
    return place_tensors(shapes), shapes


def list_touched(
    edit: Edit, target: Checkpoint, places: Mapping[str, Place], shapes: Mapping[str, tuple[int, ...]]
) -> list[str]:
    """Return the names of the tensors that an edit changes.

    Raises:
        CheckpointError: If there are none.
    """
    names = [name for name, place in places.items() if edit.touches(place, shapes[name])]
    if not names:
        raise CheckpointError(f"{edit.name} would touch no tensor of {target.folder}")
    return names


def edit_tensors(donors: Mapping[str, Checkpoint], target: Checkpoint, edits: Sequence[Edit]) -> Iterator[EditedTensor]:
    """Yield every tensor of the target, one after another, as each edit leaves it.

    Only one tensor of each checkpoint and its factors are in memory at a time. Untouched tensors are the target's
    own, bit for bit; all keep the target's dtype.

    Args:
        donors: The donors by the names that the edits use.
        target: The checkpoint to change.
        edits: What to do to it.

    Raises:
        CheckpointError: Before anything is read, if a donor's tensors are not the target's in name and shape, if a
            tensor cannot be placed, or if an edit would touch none.
    """
    for edit in edits:
        if edit.donor not in donors:
            raise ValueError(f"{edit.name}: no donor is called {edit.donor}, there are {', '.join(donors)}")
    for donor in donors.values():
        check_same_model(donor, target)
    places, shapes = describe_tensors(target)
    for edit in edits:
        list_touched(edit, target, places, shapes)
    return _edit_each(donors, target, edits, places)


def _edit_each(
    donors: Mapping[str, Checkpoint], target: Checkpoint, edits: Sequence[Edit], places: Mapping[str, Place]
) -> Iterator[EditedTensor]:
    for name, place in places.items():
        bench = Workbench(name, place, donors, target)
        yield EditedTensor(name, place, [apply_edit(edit, bench) for edit in edits])


def apply_edit(edit: Edit, bench: Workbench) -> torch.Tensor:
    """Return one tensor as an edit leaves it, in the target's dtype."""
    weight = bench.weight
    if not edit.touches(bench.place, tuple(weight.shape)):
        return weight
    copies = edit.method is Method.layer_reset or (edit.embeddings and bench.place.part in VOCABULARY_PARTS)
    return bench.donor_weight(edit.donor).to(weight.dtype) if copies else _CHANGES[edit.method](edit, bench)


def _merge_top(edit: Edit, bench: Workbench) -> torch.Tensor:
    from card24_pipeline.spectral.merges import merge_directions

    donor = bench.donor_factors(edit.donor)
    return merge_directions(bench.weight, donor, bench.target_factors, top=edit.amount, sigma=edit.sigma)


def _merge_tail(edit: Edit, bench: Workbench) -> torch.Tensor:
    from card24_pipeline.spectral.merges import merge_directions

    donor = bench.donor_factors(edit.donor)
    return merge_directions(bench.weight, donor, bench.target_factors, tail=edit.amount, sigma=edit.sigma)


def _merge_turned(edit: Edit, bench: Workbench) -> torch.Tensor:
    from card24_pipeline.spectral.merges import merge_directions

    donor = bench.turned_factors(edit.donor, edit.seed)
    return merge_directions(bench.weight, donor, bench.target_factors, top=edit.amount, sigma=edit.sigma)


def _merge_random(edit: Edit, bench: Workbench) -> torch.Tensor:
    from card24_pipeline.spectral.merges import merge_random_directions

    return merge_random_directions(
        bench.weight,
        bench.donor_factors(edit.donor),
        bench.target_factors,
        fraction=edit.amount,
        generator=bench.seed_generator(edit.seed),
        sigma=edit.sigma,
    )


def _merge_values(edit: Edit, bench: Workbench) -> torch.Tensor:
    from card24_pipeline.spectral.merges import merge_singular_values

    return merge_singular_values(bench.weight, bench.donor_factors(edit.donor), bench.target_factors)


def _interpolate(edit: Edit, bench: Workbench) -> torch.Tensor:
    from card24_pipeline.spectral.merges import interpolate

    return interpolate(bench.weight, bench.donor_weight(edit.donor), donor_share=edit.amount)


def _scale_by_depth(edit: Edit, bench: Workbench) -> torch.Tensor:
    from card24_pipeline.spectral.merges import scale_by_depth

    depth = bench.place.depth
    if depth is None:  # outside the layers: embeddings come before them, the last norm and the head after
        depth = 0.0 if bench.place.part is Part.embeddings else 1.0
    return scale_by_depth(bench.weight, bench.donor_weight(edit.donor), depth=depth, shallow_share=edit.amount)


def _truncate(edit: Edit, bench: Workbench) -> torch.Tensor:
    from card24_pipeline.spectral.merges import truncate_delta

    delta = bench.delta_factors(edit.donor)
    return truncate_delta(bench.weight, bench.donor_weight(edit.donor), delta, fraction=edit.amount)


def _threshold(edit: Edit, bench: Workbench) -> torch.Tensor:
    from card24_pipeline.spectral.merges import hard_threshold_delta

    return hard_threshold_delta(bench.weight, bench.donor_weight(edit.donor), bench.delta_factors(edit.donor))


_CHANGES: dict[Method, Callable[[Edit, Workbench], torch.Tensor]] = {
    Method.uv_top: _merge_top,
    Method.uv_tail: _merge_tail,
    Method.uv_turned: _merge_turned,
    Method.uv_random: _merge_random,
    Method.singular_values: _merge_values,
    Method.interpolation: _interpolate,
    Method.lines: _scale_by_depth,
    Method.delta_top: _truncate,
    Method.delta_threshold: _threshold,
}
