"""Restore the donor's directions at the smallest singular values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.edits.registry import Fraction, edit_method

if TYPE_CHECKING:
    from torch import Tensor

    from card24_pipeline.spectral.decomposition import Factors
    from card24_pipeline.spectral.merges import Sigma


@edit_method(title="tail directions", paper="arXiv:2509.12235", scope="matrices", low_rank=True, outer_products=2)
def uv_tail(
    donor: Factors, target: Factors, *, tail_fraction: Fraction = 0.2, sigma: Sigma = "target"
) -> tuple[Tensor, Tensor]:
    """W + Σ_{i>r−k} (sᵢ ûᵢ v̂ᵢᵀ − σᵢ uᵢ vᵢᵀ), k = round(tail_fraction · r); s is σ or the donor's σ̂."""
    from card24_pipeline.spectral.merges import split_directions

    return split_directions(donor, target, tail=tail_fraction, sigma=sigma)
