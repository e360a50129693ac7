"""Take a quarter of the layers from the donor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.edits.registry import Quarter, edit_method

if TYPE_CHECKING:
    from torch import Tensor


@edit_method(title="layers reset", paper="arXiv:2508.16546", scope="quarter")
def layer_reset(donor_weight: Tensor, *, quarter: Quarter = 1) -> Tensor:
    """Ŵ in every tensor of the quarter (1 first, 4 last), norms and biases too; W elsewhere."""
    return donor_weight
