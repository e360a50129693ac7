"""Where a tensor stands in a decoder, by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from card24_pipeline.checkpoints.manifest import CheckpointError

if TYPE_CHECKING:
    from card24_pipeline.checkpoints.reader import Checkpoint


class Part(StrEnum):
    """Part of a decoder; ``outside`` is what is no part of it, such as a vision tower."""

    attention = "attention"
    mlp = "mlp"
    norms = "norms"
    embeddings = "embeddings"
    head = "head"
    outside = "outside"


MATRIX_PARTS = (Part.attention, Part.mlp)
VOCABULARY_PARTS = (Part.embeddings, Part.head)


@dataclass(frozen=True)
class Place:
    """Where a tensor stands.

    Attributes:
        part: Part of the decoder.
        layer: Number of its layer, from 0; None outside the layers.
        layers: Number of layers of the decoder.
    """

    part: Part
    layer: int | None
    layers: int

    @property
    def depth(self) -> float | None:
        """0 at the first layer, 1 at the last; None outside the layers."""
        return None if self.layer is None else self.layer / max(self.layers - 1, 1)

    @property
    def quarter(self) -> int | None:
        """Quarter of the layers, 1 to 4; None outside the layers."""
        return None if self.layer is None else 4 * self.layer // self.layers + 1


_OUTSIDE = re.compile(r"(^|\.)(vision_(model|tower|encoder)|visual|audio_tower|multi_modal_projector|connector)\.")
# The first number after one of these is the layer's; a later one is an expert's.
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.(\d+)\.(.+)$")
_IN_LAYER = (
    # q_norm and k_norm lie inside the attention, cross_attn_mlp_gate is of the MLP: the order matters.
    (Part.norms, re.compile(r"norm|(^|\.)ln_?\w*\.")),
    (Part.mlp, re.compile(r"(^|\.)(mlp|\w*mlp\w*|feed_forward|ffn|fc1|fc2|block_sparse_moe|experts)(\.|$)")),
    (Part.attention, re.compile(r"(^|\.)(\w*attn\w*|attention|self_attention)(\.|$)")),
)
_OUTSIDE_LAYERS = (
    (Part.head, re.compile(r"(^|\.)(lm_head|embed_out|output)\.")),
    (Part.embeddings, re.compile(r"(^|\.)(embed_tokens|embed_in|embed_positions|wte|wpe|tok_embeddings)\.")),
    (Part.norms, re.compile(r"norm|(^|\.)ln_f\.")),
)


def is_matrix(shape: Sequence[int]) -> bool:
    """Tell whether a tensor of this shape is a matrix with entries."""
    return len(shape) == 2 and min(shape) > 0


def is_layer_matrix(place: Place, shape: Sequence[int]) -> bool:
    """Tell whether a tensor is a matrix of a layer's attention or MLP."""
    return place.layer is not None and place.part in MATRIX_PARTS and is_matrix(shape)


def describe_tensors(checkpoint: Checkpoint) -> tuple[dict[str, Place], dict[str, tuple[int, ...]]]:
    """Return the place and the shape of every tensor, without reading any; see :func:`place_tensors`."""
    shapes = {name: checkpoint.describe(name).shape for name in checkpoint.names}
    return place_tensors(shapes), shapes


def place_tensors(names: Sequence[str] | Mapping[str, object]) -> dict[str, Place]:
    """Return the place of every tensor of a decoder with numbered layers, in the order of all their names.

    Raises:
        CheckpointError: Naming tensors that cannot be placed; or if there are no numbered layers, or a number is
            missing among them.
    """
    placed = {name: place for name in names if (place := _find_part(name))}
    unknown = [name for name in names if name not in placed]
    if unknown:
        shown = ", ".join(unknown[:5])
        raise CheckpointError(f"cannot place {len(unknown)} tensors in a decoder with numbered layers, such as {shown}")
    numbers = sorted({layer for _, layer in placed.values() if layer is not None})
    if not numbers or numbers != list(range(len(numbers))):
        raise CheckpointError(f"expected decoder layers numbered from 0 without a gap, found {numbers or 'none'}")
    return {name: Place(part, layer, len(numbers)) for name, (part, layer) in placed.items()}


def _find_part(name: str) -> tuple[Part, int | None] | None:
    """Return part and layer of one tensor, None where no pattern fits."""
    if _OUTSIDE.search(name):
        return Part.outside, None
    inside = _LAYER.search(name)
    patterns, rest = (_IN_LAYER, inside.group(2)) if inside else (_OUTSIDE_LAYERS, name)
    for part, pattern in patterns:
        if pattern.search(rest):
            return part, int(inside.group(1)) if inside else None
    return None
