"""Restore the donor's directions at random indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.edits.registry import Fraction, edit_method

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from card24_pipeline.spectral.decomposition import Factors
    from card24_pipeline.spectral.merges import Sigma


@edit_method(title="random indices", scope="matrices", low_rank=True, outer_products=2)
def uv_random(
    donor: Factors, target: Factors, generator: Generator, *, random_fraction: Fraction = 0.2, sigma: Sigma = "target"
) -> tuple[Tensor, Tensor]:
    """``uv_top`` at round(random_fraction · r) indices drawn without replacement: a control of taking the top."""
    import torch

    from card24_pipeline.spectral.decomposition import count_directions
    from card24_pipeline.spectral.merges import split_indices

    rank = len(target.values)
    chosen = torch.randperm(rank, generator=generator)[: count_directions(random_fraction, (rank,))]
    return split_indices(donor, target, chosen, sigma=sigma)
