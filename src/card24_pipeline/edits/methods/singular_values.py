"""Restore the donor's singular values and keep the target's directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.edits.registry import edit_method

if TYPE_CHECKING:
    from torch import Tensor

    from card24_pipeline.spectral.decomposition import Factors


@edit_method(title="σ only", scope="matrices", outer_products=1)
def singular_values(weight: Tensor, donor: Factors, target: Factors) -> Tensor:
    """W + U diag(σ̂ − σ) Vᵀ: a control of UV-merge, which restores directions and leaves values."""
    from card24_pipeline.spectral.merges import add_update, check_factors

    check_factors(weight, donor=donor, target=target)
    return add_update(weight, target.left * (donor.values - target.values).float(), target.right)
