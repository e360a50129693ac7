"""Counted floating-point operations of edits."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from card24_pipeline.checkpoints.selection import Place
from card24_pipeline.spectral.decomposition import count_decomposition_flops, count_directions
from card24_pipeline.weights.edits import UV_METHODS, VOCABULARY_PARTS, Edit, Method


def count_edit_flops(edit: Edit, places: Mapping[str, Place], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return the floating-point operations of one edit on its own, in FLOP; copies cost none.

    Decompositions as in ``count_decomposition_flops``: of donor and target for the methods on singular directions
    and values, of their difference for those on ΔW; then two operations for each entry and rank of what is put
    together, and three an entry for an interpolation.
    """
    return sum(
        _count_tensor(edit, shapes[name], is_vocabulary=place.part in VOCABULARY_PARTS)
        for name, place in places.items()
        if edit.touches(place, shapes[name])
    )


def _count_tensor(edit: Edit, shape: tuple[int, ...], *, is_vocabulary: bool) -> int:
    entries = prod(shape)
    if edit.method in (Method.interpolation, Method.lines):
        return 3 * entries
    if edit.method is Method.layer_reset or is_vocabulary:
        return 0
    rank = min(shape)
    if edit.method in UV_METHODS:
        decompositions, terms = 2, 2 * count_directions(float(edit.knob or 0), shape)
    elif edit.method is Method.singular_values:
        decompositions, terms = 2, rank
    else:
        # How many directions pass the Donoho–Gavish threshold depends on the weights; all of them is the bound.
        fraction = 1.0 if edit.knob is None else edit.knob
        decompositions, terms = 1, count_directions(fraction, shape)
    return decompositions * count_decomposition_flops(shape) + 2 * entries * terms
