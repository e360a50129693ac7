"""Counted floating-point operations of edits."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from card24_pipeline.checkpoints.selection import Place
from card24_pipeline.edits.edit import Edit
from card24_pipeline.edits.method import FACTORS


def count_edit_flops(edit: Edit, places: Mapping[str, Place], shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return the floating-point operations of one edit on its own, in FLOP; copies cost none.

    A decomposition (``count_decomposition_flops``) for each set of factors that the method takes, two operations for
    each entry and outer product that it adds, and its own ``entry_flops`` an entry. Where the weights decide how many
    singular directions are kept, all of them are counted: the bound.
    """
    return sum(
        _count_tensor(edit, shapes[name])
        for name, place in places.items()
        if edit.touches(place, shapes[name]) and not edit.copies(place)
    )


def _count_tensor(edit: Edit, shape: tuple[int, ...]) -> int:
    from card24_pipeline.spectral.decomposition import count_decomposition_flops

    method = edit.definition
    flops = method.entry_flops * prod(shape)
    if decompositions := sum(name in FACTORS for name in method.inputs):
        flops += decompositions * count_decomposition_flops(shape)
    if method.outer_products:
        flops += 2 * prod(shape) * method.count_outer_products(edit.knob, shape)
    return flops
