"""Edits of a whole checkpoint toward a donor: which method, with which donor, knob and tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from card24_pipeline.checkpoints.selection import Part, Place, is_matrix

Sigma = Literal["target", "donor"]


class Method(StrEnum):
    """How tensors of the target are changed; one function of ``spectral.merges`` each, but for ``layer_reset``."""

    uv_top = "uv_top"
    uv_tail = "uv_tail"
    uv_random = "uv_random"
    uv_turned = "uv_turned"
    singular_values = "singular_values"
    layer_reset = "layer_reset"
    interpolation = "interpolation"
    lines = "lines"
    delta_top = "delta_top"
    delta_threshold = "delta_threshold"


# The one number that each method is swept over; those without have none.
KNOBS = {
    Method.uv_top: "top_fraction",
    Method.uv_tail: "tail_fraction",
    Method.uv_random: "random_fraction",
    Method.uv_turned: "top_fraction",
    Method.layer_reset: "quarter",
    Method.interpolation: "donor_share",
    Method.lines: "shallow_share",
    Method.delta_top: "delta_fraction",
}
UV_METHODS = frozenset({Method.uv_top, Method.uv_tail, Method.uv_random, Method.uv_turned})
WHOLE_MODEL_METHODS = frozenset({Method.interpolation, Method.lines})
MATRIX_PARTS = (Part.attention, Part.mlp)
VOCABULARY_PARTS = (Part.embeddings, Part.head)


@dataclass(frozen=True)
class Edit:
    """One way to change a target checkpoint.

    Attributes:
        method: How tensors are changed.
        donor: Name of the donor checkpoint.
        knob: The method's number, named in ``KNOBS``: a fraction or share from 0 to 1, or the quarter of the layers
            (1 first, 4 last); None for methods without one.
        sigma: Whose singular values the restored directions keep; with ``donor``, ``uv_top`` restores full singular
            triplets. Only the ``uv_`` methods read it.
        matrices: Parts whose matrices a spectral method edits.
        embeddings: Whether the embeddings and the head come from the donor as well.
        seed: Seed of the methods that draw at random.

    Raises:
        ValueError: If the knob is missing, superfluous or out of range, or a choice does not go with the method.
    """

    method: Method
    donor: str = "donor"
    knob: float | None = None
    sigma: Sigma = "target"
    matrices: tuple[Part, ...] = field(default=MATRIX_PARTS)
    embeddings: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check that the choices go together."""
        self._check_knob()
        if self.sigma not in ("target", "donor"):
            raise ValueError(f"sigma: expected target or donor, got {self.sigma!r}")
        if self.sigma == "donor" and self.method not in UV_METHODS:
            raise ValueError(f"sigma: {self.method} has no choice of singular values")
        if not self.matrices or not set(self.matrices) <= set(MATRIX_PARTS):
            raise ValueError(f"matrices: expected some of attention and mlp, got {', '.join(self.matrices) or 'none'}")
        if self.embeddings and self.method in WHOLE_MODEL_METHODS:
            raise ValueError(f"embeddings: {self.method} mixes the embeddings as it does every tensor")

    def _check_knob(self) -> None:
        name = KNOBS.get(self.method)
        if name is None:
            if self.knob is not None:
                raise ValueError(f"{self.method} has no knob, got {self.knob}")
            return
        if self.knob is None or not math.isfinite(self.knob):
            raise ValueError(f"{self.method} needs {name}, got {self.knob}")
        if name == "quarter":
            if self.knob not in (1, 2, 3, 4):
                raise ValueError(f"quarter: expected 1, 2, 3 or 4, got {self.knob:g}")
        elif not 0 <= self.knob <= 1:
            raise ValueError(f"{name}: expected a number from 0 to 1, got {self.knob:g}")

    @property
    def knob_name(self) -> str:
        """Name of the knob, empty where the method has none."""
        return KNOBS.get(self.method, "")

    @property
    def amount(self) -> float:
        """The knob of a method that has one."""
        if self.knob is None:
            raise ValueError(f"{self.method} has no knob")
        return self.knob

    @property
    def family(self) -> str:
        """The edit's name without its knob."""
        parts = [self.method.value, f"donor={self.donor}"]
        parts += ["sigma=donor"] if self.sigma == "donor" else []
        if self.matrices != MATRIX_PARTS and self.method not in WHOLE_MODEL_METHODS | {Method.layer_reset}:
            parts.append(f"matrices={'+'.join(self.matrices)}")
        parts += ["embeddings"] if self.embeddings else []
        return " ".join(parts)

    @property
    def name(self) -> str:
        """The edit's name, unique among edits of one target but for the seed."""
        return self.family if self.knob is None else f"{self.family} {self.knob_name}={self.knob:g}"

    def touches(self, place: Place, shape: tuple[int, ...]) -> bool:
        """Tell whether the edit changes a tensor at this place."""
        if place.part is Part.outside:
            return False
        if self.method in WHOLE_MODEL_METHODS or (self.embeddings and place.part in VOCABULARY_PARTS):
            return True
        if self.method is Method.layer_reset:
            return place.quarter == self.knob
        return place.layer is not None and place.part in self.matrices and is_matrix(shape)
