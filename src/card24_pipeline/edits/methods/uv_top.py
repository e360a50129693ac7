"""Restore the donor's directions at the largest singular values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.edits.registry import Fraction, edit_method

if TYPE_CHECKING:
    from torch import Tensor

    from card24_pipeline.spectral.decomposition import Factors
    from card24_pipeline.spectral.merges import Sigma


@edit_method(title="top directions", paper="arXiv:2509.12235", scope="matrices", low_rank=True, outer_products=2)
def uv_top(
    donor: Factors, target: Factors, *, top_fraction: Fraction = 0.2, sigma: Sigma = "target"
) -> tuple[Tensor, Tensor]:
    """W + Σ_{i≤k} (sᵢ ûᵢ v̂ᵢᵀ − σᵢ uᵢ vᵢᵀ), k = round(top_fraction · r); s is σ or the donor's σ̂ (UV-merge)."""
    from card24_pipeline.spectral.merges import split_directions

    return split_directions(donor, target, top=top_fraction, sigma=sigma)
