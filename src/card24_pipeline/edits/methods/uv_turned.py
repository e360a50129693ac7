"""Restore directions of nobody's: the target's own, turned as far as noise of the size of ΔW turns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.edits.registry import Fraction, edit_method

if TYPE_CHECKING:
    from torch import Tensor

    from card24_pipeline.spectral.decomposition import Factors
    from card24_pipeline.spectral.merges import Sigma


@edit_method(title="turned at random", scope="matrices", low_rank=True, outer_products=2)
def uv_turned(
    turned: Factors, target: Factors, *, top_fraction: Fraction = 0.2, sigma: Sigma = "target"
) -> tuple[Tensor, Tensor]:
    """``uv_top`` whose donor is W plus a random matrix with the singular values of ΔW: a control of its directions."""
    from card24_pipeline.spectral.merges import split_directions

    return split_directions(turned, target, top=top_fraction, sigma=sigma)
