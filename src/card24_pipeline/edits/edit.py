"""Edits of a whole checkpoint toward a donor: which method, with which donor, knob and tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.selection import MATRIX_PARTS, VOCABULARY_PARTS, Part, Place, is_layer_matrix
from card24_pipeline.edits.registry import FACTORS, EditMethod, load_method

if TYPE_CHECKING:
    from card24_pipeline.spectral.merges import Sigma


@dataclass(frozen=True)
class Edit:
    """One way to change a target checkpoint.

    Attributes:
        method: Name of the method.
        donor: Name of the donor checkpoint.
        knob: The method's number; None for methods without one.
        sigma: Whose singular values restored directions keep; with ``donor``, ``uv_top`` restores full singular
            triplets.
        matrices: Parts whose matrices a method of scope ``matrices`` edits: attention, mlp or both.
        embeddings: Whether the embeddings and the head come from the donor as well.
        seed: Seed of the methods that draw at random.

    Raises:
        ValueError: If there is no such method, the knob is missing, superfluous or out of range, or a choice does not
            go with the method.
    """

    method: str
    donor: str = "donor"
    knob: float | None = None
    sigma: Sigma = "target"
    matrices: tuple[str, ...] = MATRIX_PARTS
    embeddings: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check that the choices go together."""
        knob = self.definition.knob
        if knob is None and self.knob is not None:
            raise ValueError(f"{self.method} has no knob, got {self.knob}")
        if knob is not None:
            if self.knob is None:
                raise ValueError(f"{self.method} needs {knob.name}, got None")
            knob.check(self.knob)
        if self.sigma not in ("target", "donor"):
            raise ValueError(f"sigma: expected target or donor, got {self.sigma!r}")
        if self.sigma == "donor" and not self.definition.has_sigma:
            raise ValueError(f"sigma: {self.method} has no choice of singular values")
        if not self.matrices or not set(self.matrices) <= set(MATRIX_PARTS):
            raise ValueError(f"matrices: expected some of attention and mlp, got {', '.join(self.matrices) or 'none'}")
        if self.definition.scope == "model" and set(self.matrices) != set(MATRIX_PARTS):
            raise ValueError(f"matrices: {self.method} mixes every tensor and has no choice of matrices")
        if self.embeddings and self.definition.scope == "model":
            raise ValueError(f"embeddings: {self.method} mixes the embeddings as it does every tensor")

    @property
    def definition(self) -> EditMethod:
        """The method."""
        return load_method(self.method)

    @property
    def knob_name(self) -> str:
        """Name of the knob, empty where the method has none."""
        return self.definition.knob.name if self.definition.knob else ""

    @property
    def family(self) -> str:
        """The edit's name without its knob."""
        parts = [self.method, f"donor={self.donor}"]
        parts += ["sigma=donor"] if self.sigma == "donor" else []
        if self.matrices != MATRIX_PARTS and self.definition.scope == "matrices":
            parts.append(f"matrices={'+'.join(self.matrices)}")
        parts += ["embeddings"] if self.embeddings else []
        return " ".join(parts)

    @property
    def name(self) -> str:
        """The edit's name, unique among edits of one target but for the seed."""
        return self.family if self.knob is None else f"{self.family} {self.knob_name}={self.knob:g}"

    def copies(self, place: Place) -> bool:
        """Tell whether a tensor at this place is the donor's whatever the method: embeddings and head, if asked for."""
        return self.embeddings and place.part in VOCABULARY_PARTS

    def touches(self, place: Place, shape: tuple[int, ...]) -> bool:
        """Tell whether the edit changes a tensor at this place."""
        scope = self.definition.scope
        if place.part is Part.outside:
            return False
        if self.copies(place) or scope == "model":
            return True
        if scope == "quarter":
            return place.quarter == self.knob
        return place.part in self.matrices and is_layer_matrix(place, shape)

    def list_touched(self, places: Mapping[str, Place], shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
        """Return the names of the tensors that the edit changes; raise a CheckpointError if there are none."""
        names = [name for name, place in places.items() if self.touches(place, shapes[name])]
        if not names:
            raise CheckpointError(f"{self.name} would touch no tensor")
        return names

    def count_flops(self, places: Mapping[str, Place], shapes: Mapping[str, tuple[int, ...]]) -> int:
        """Return the floating-point operations of the edit on its own, in FLOP; copies cost none.

        A decomposition (``count_decomposition_flops``) for each set of factors that the method takes, two operations
        for each entry and outer product that it adds, and its own ``entry_flops`` an entry. Where the weights decide
        how many singular directions are kept, all of them are counted: the bound.
        """
        from card24_pipeline.spectral.decomposition import count_decomposition_flops

        method, flops = self.definition, 0
        decompositions = sum(name in FACTORS for name in method.inputs)
        for name in self.list_touched(places, shapes):
            if not self.copies(places[name]):
                shape = shapes[name]
                products = method.count_outer_products(self.knob, shape) if method.outer_products else 0
                flops += (method.entry_flops + 2 * products) * prod(shape)
                flops += decompositions * count_decomposition_flops(shape) if decompositions else 0
        return flops
