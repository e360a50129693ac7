"""Mix donor and target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.edits.registry import Fraction, edit_method

if TYPE_CHECKING:
    from torch import Tensor


@edit_method(title="interpolation", paper="arXiv:2109.01903", scope="model", entry_flops=3)
def interpolation(weight: Tensor, donor_weight: Tensor, *, donor_share: Fraction = 0.5) -> Tensor:
    """(1 − α) W + α Ŵ with α = donor_share (WiSE-FT, Wortsman et al. 2022)."""
    import torch

    from card24_pipeline.spectral.merges import check_shapes

    check_shapes(weight, donor_weight)
    if donor_share == 0:
        return weight
    return torch.lerp(weight.float(), donor_weight.float(), donor_share).to(weight.dtype)
