"""Keep those singular triplets of the change that stand out of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.edits.registry import edit_method

if TYPE_CHECKING:
    from torch import Tensor

    from card24_pipeline.spectral.decomposition import Factors


@edit_method(title="hard-thresholded ΔW", paper="arXiv:1305.5870", scope="matrices", outer_products=1)
def delta_threshold(weight: Tensor, donor_weight: Tensor, delta: Factors) -> Tensor:
    """Ŵ plus the singular triplets of ΔW = W − Ŵ above ω(β) · median(σ), the optimal threshold for unknown noise.

    β = min(m, n) / max(m, n), ω(β) ≈ 0.56 β³ − 0.95 β² + 1.82 β + 1.43 (Gavish & Donoho 2014, equation 5).
    """
    from card24_pipeline.spectral.merges import keep_triplets

    beta = min(weight.shape) / max(weight.shape)
    threshold = (0.56 * beta**3 - 0.95 * beta**2 + 1.82 * beta + 1.43) * delta.values.quantile(0.5)
    return keep_triplets(weight, donor_weight, delta, int((delta.values > threshold).sum()))
