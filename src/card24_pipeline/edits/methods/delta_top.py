"""Keep the largest singular triplets of the change only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.edits.registry import Fraction, edit_method

if TYPE_CHECKING:
    from torch import Tensor

    from card24_pipeline.spectral.decomposition import Factors


@edit_method(title="truncated ΔW", scope="matrices", outer_products=1)
def delta_top(weight: Tensor, donor_weight: Tensor, delta: Factors, *, delta_fraction: Fraction = 0.2) -> Tensor:
    """Ŵ plus the first k = round(delta_fraction · r) singular triplets of ΔW = W − Ŵ: the best change of rank k."""
    from card24_pipeline.spectral.decomposition import count_directions
    from card24_pipeline.spectral.merges import keep_triplets

    return keep_triplets(weight, donor_weight, delta, count_directions(delta_fraction, weight.shape))
