"""Applying edits tensor by tensor; every matrix is decomposed once, whatever the number of edits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.reader import Checkpoint, check_same_model
from card24_pipeline.checkpoints.selection import Part, Place, describe_tensors
from card24_pipeline.edits.edit import Edit

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
        self._donors = donors
        self._target = target
        self._made: dict[tuple[str | int, ...], Any] = {}

    @property
    def weight(self) -> torch.Tensor:
        """The target's tensor."""
        return self._keep(("weight",), lambda: self._target.read(self.name))

    @property
    def target_factors(self) -> Factors:
        """Factors of the target's matrix."""
        return self._decompose(("target",), lambda: self.weight)

    @property
    def depth(self) -> float:
        """0 at the first layer and the embeddings before it, 1 at the last and what comes after."""
        if self.place.depth is None:
            return 0.0 if self.place.part is Part.embeddings else 1.0
        return self.place.depth

    def donor_weight(self, donor: str) -> torch.Tensor:
        """Return a donor's tensor."""
        return self._keep(("donor_weight", donor), lambda: self._donors[donor].read(self.name))

    def donor_factors(self, donor: str) -> Factors:
        """Return the factors of a donor's matrix."""
        return self._decompose(("donor", donor), lambda: self.donor_weight(donor))

    def delta_factors(self, donor: str) -> Factors:
        """Return the factors of ΔW = target − donor."""
        return self._decompose(("delta", donor), lambda: self.weight.float() - self.donor_weight(donor).float())

    def turned_factors(self, donor: str, seed: int) -> Factors:
        """Return the factors of the target plus a random matrix with the singular values of ΔW."""
        from card24_pipeline.spectral.null_models import draw_spectrum_matched_delta

        def turn() -> torch.Tensor:
            values = self.delta_factors(donor).values
            drawn = draw_spectrum_matched_delta(values, tuple(self.weight.shape), self.make_generator(seed))
            return self.weight.float() + drawn

        return self._decompose(("turned", donor, seed), turn)

    def make_generator(self, seed: int) -> torch.Generator:
        """Return a generator of this tensor's own."""
        import torch

        return torch.Generator().manual_seed((seed << 32) + crc32(self.name.encode()))

    def _decompose(self, key: tuple[str | int, ...], make: Callable[[], torch.Tensor]) -> Factors:
        from card24_pipeline.spectral.decomposition import decompose

        return self._keep(key, lambda: decompose(make()))

    def _keep(self, key: tuple[str | int, ...], make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


# What a method's function is given, by the names of its parameters (see ``edits.method``).
GIVEN: Mapping[str, Callable[[Workbench, Edit], Any]] = {
    "weight": lambda bench, edit: bench.weight,
    "donor_weight": lambda bench, edit: bench.donor_weight(edit.donor),
    "donor": lambda bench, edit: bench.donor_factors(edit.donor),
    "target": lambda bench, edit: bench.target_factors,
    "delta": lambda bench, edit: bench.delta_factors(edit.donor),
    "turned": lambda bench, edit: bench.turned_factors(edit.donor, edit.seed),
    "depth": lambda bench, edit: bench.depth,
    "generator": lambda bench, edit: bench.make_generator(edit.seed),
}


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
    """Return one tensor as an edit leaves it, in the target's dtype; the target's own where the donor's is equal."""
    weight = bench.weight
    if not edit.touches(bench.place, tuple(weight.shape)) or equals_donor(edit, bench):
        return weight
    if edit.copies(bench.place):
        return bench.donor_weight(edit.donor).to(weight.dtype)
    if edit.definition.low_rank:
        from card24_pipeline.spectral.merges import add_update

        return add_update(weight, *make_change(edit, bench))
    return make_change(edit, bench).to(weight.dtype)


def equals_donor(edit: Edit, bench: Workbench) -> bool:
    """Tell whether donor and target hold the same tensor, bit for bit: there is nothing to edit then."""
    import torch

    weight, donor = bench.weight, bench.donor_weight(edit.donor)
    return weight.dtype == donor.dtype and torch.equal(weight, donor)


def make_change(edit: Edit, bench: Workbench) -> Any:
    """Call the edit's method on one tensor and return what it does: the tensor, or (L, R) of a low-rank update L R."""
    method = edit.definition
    given = {name: GIVEN[name](bench, edit) for name in method.inputs}
    choices = {method.knob.name: edit.knob} if method.knob else {}
    return method.change(**given, **choices, **({"sigma": edit.sigma} if method.has_sigma else {}))
