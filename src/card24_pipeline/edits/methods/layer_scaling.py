"""Scale the change down, the more the shallower the layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.edits.methods.interpolation import interpolation
from card24_pipeline.edits.registry import Fraction, edit_method

if TYPE_CHECKING:
    from torch import Tensor


@edit_method(title="LiNeS", paper="arXiv:2410.17146", scope="model", entry_flops=3)
def layer_scaling(weight: Tensor, donor_weight: Tensor, depth: float, *, shallow_share: Fraction = 0.5) -> Tensor:
    """Ŵ + λ (W − Ŵ), λ = s + (1 − s) · depth: the first layer keeps s = shallow_share of ΔW (Wang et al. 2024)."""
    return interpolation(weight, donor_weight, donor_share=(1 - shallow_share) * (1 - depth))
