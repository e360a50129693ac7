"""Applying edits tensor by tensor; every matrix is read and decomposed once, whatever the number of edits."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from torch import Generator, Tensor
from tqdm import tqdm

from card24_pipeline.checkpoints.folder_writer import FolderWriter
from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.reader import Checkpoint, check_same_model
from card24_pipeline.checkpoints.selection import Part, Place, describe_tensors
from card24_pipeline.edits.edit import Edit
from card24_pipeline.spectral.decomposition import Factors, MatrixHistory, decompose
from card24_pipeline.spectral.merges import add_update
from card24_pipeline.spectral.null_models import draw_spectrum_matched_delta

TARGET = "target"


class Workbench:
    """One tensor of the target beside its donors'.

    Attributes:
        history: The tensor by the names of the donors, and of the target.
        place: Where it stands.
    """

    def __init__(self, name: str, place: Place, donors: Mapping[str, Checkpoint], target: Checkpoint) -> None:
        """Take the tensor's name and place, and the checkpoints."""
        self.history = MatrixHistory(name, lambda key: (target if key == TARGET else donors[key]).read(name))
        self.place = place
        self._decomposed: dict[tuple[str, int | None], Factors] = {}

    def take(self, what: str, edit: Edit) -> Any:
        """Return what a method's function is given by the name ``what``; see ``edits.registry``."""
        match what:
            case "weight":
                return self.history.tensor(TARGET)
            case "donor_weight":
                return self.history.tensor(edit.donor)
            case "target":
                return self.history.factors(TARGET)
            case "donor":
                return self.history.factors(edit.donor)
            case "delta" | "turned":
                return self._take_difference(edit.donor, edit.seed if what == "turned" else None)
            case "depth" if self.place.depth is None:  # outside the layers: embeddings come before, the rest after
                return 0.0 if self.place.part is Part.embeddings else 1.0
            case "depth":
                return self.place.depth
            case "generator":
                return Generator().manual_seed((edit.seed << 32) + crc32(self.history.name.encode()))
        raise KeyError(what)

    def _take_difference(self, donor: str, seed: int | None) -> Factors:
        """Return the factors of ΔW = target − donor or, with a seed, of the target plus noise with its values."""
        if (donor, seed) not in self._decomposed:
            weight = self.history.tensor(TARGET).float()
            if seed is None:
                matrix = weight - self.history.tensor(donor).float()
            else:
                values = self._take_difference(donor, None).values
                generator = Generator().manual_seed((seed << 32) + crc32(self.history.name.encode()))
                matrix = weight + draw_spectrum_matched_delta(values, tuple(weight.shape), generator)
            self._decomposed[donor, seed] = decompose(matrix)
        return self._decomposed[donor, seed]


def make_change(edit: Edit, bench: Workbench) -> Any:
    """Call the edit's method on one tensor and return what it does: the tensor, or (L, R) of a low-rank update L R."""
    method = edit.definition
    given = {name: bench.take(name, edit) for name in method.inputs}
    choices = {method.knob.name: edit.knob} if method.knob else {}
    return method.change(**given, **choices, **({"sigma": edit.sigma} if method.has_sigma else {}))


def equals_donor(edit: Edit, bench: Workbench) -> bool:
    """Tell whether donor and target hold the same tensor, bit for bit: there is nothing to edit then."""
    weight, donor = bench.history.tensor(TARGET), bench.history.tensor(edit.donor)
    return weight.dtype == donor.dtype and torch.equal(weight, donor)


def apply_edit(edit: Edit, bench: Workbench) -> Tensor:
    """Return one tensor as an edit leaves it, in the target's dtype; the target's own where the donor's is equal."""
    weight = bench.history.tensor(TARGET)
    if not edit.touches(bench.place, tuple(weight.shape)) or equals_donor(edit, bench):
        return weight
    if edit.copies(bench.place):
        edited = bench.history.tensor(edit.donor).to(weight.dtype)
    else:
        change = make_change(edit, bench)
        edited = add_update(weight, *change) if edit.definition.low_rank else change.to(weight.dtype)
    if not torch.isfinite(edited).all():
        raise CheckpointError(
            f"{bench.history.name}: {edit.name} makes values that {weight.dtype} cannot hold: "
            "take a target of a wider type"
        )
    return edited


def edit_tensors(
    donors: Mapping[str, Checkpoint], target: Checkpoint, edits: Sequence[Edit]
) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield the name of every tensor of the target, one after another, and what each edit makes of it.

    Only one tensor of each checkpoint and its factors are in memory at a time. Untouched tensors are the target's
    own, bit for bit; all keep the target's dtype. The donors go by the names that the edits use.

    Raises:
        ValueError: Before anything is read, if a donor's tensors are not the target's in name and shape, if a
            tensor cannot be placed, or if an edit names no donor or would touch nothing.
    """
    for edit in edits:
        if edit.donor not in donors:
            raise ValueError(f"{edit.name}: no donor is called {edit.donor}, there are {', '.join(donors)}")
    for donor in donors.values():
        check_same_model(donor, target)
    places, shapes = describe_tensors(target)
    for edit in edits:
        edit.list_touched(places, shapes)
    benches = (Workbench(name, place, donors, target) for name, place in places.items())
    return ((bench.history.name, [apply_edit(edit, bench) for edit in edits]) for bench in benches)


def write_edited(donors: Mapping[str, Checkpoint], target: Checkpoint, folders: Mapping[Path, Edit]) -> None:
    """Write the target as each edit leaves it to its new folder, in one pass over the tensors.

    Raises:
        ValueError: See :func:`edit_tensors`; nothing is left of any folder then.
    """
    edited = edit_tensors(donors, target, list(folders.values()))
    with ExitStack() as stack:
        writers = [stack.enter_context(FolderWriter(folder, like=target)) for folder in folders]
        for name, tensors in tqdm(edited, total=len(target.names), desc="Editing", unit="tensor", mininterval=1.0):
            for writer, tensor in zip(writers, tensors, strict=True):
                writer.add(name, tensor)
