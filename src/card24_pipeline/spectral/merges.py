"""Updates of one matrix W of a fine-tuned target by the singular directions of a donor's Ŵ or of their difference.

Arithmetic is in float32. Hats are the donor's: Ŵ = Û diag(σ̂) V̂ᵀ. ``donor`` and ``target`` are the factors of Ŵ and W.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from card24_pipeline.spectral.decomposition import Factors, count_directions

Sigma = Literal["target", "donor"]


def split_directions(
    donor: Factors, target: Factors, *, top: float = 0.0, tail: float = 0.0, sigma: Sigma = "target"
) -> tuple[Tensor, Tensor]:
    """Restore the donor's singular directions at the largest and smallest singular values (UV-merge).

    Σ_{i∈K} (sᵢ ûᵢ v̂ᵢᵀ − σᵢ uᵢ vᵢᵀ), where K holds the first round(top·r) and the last round(tail·r) indices and sᵢ is
    σᵢ (``sigma="target"``: directions only) or σ̂ᵢ (``"donor"``: full singular triplets): what the method of
    arXiv 2509.12235 adds to W.

    Returns:
        L (m × 2k) and R (2k × n), float32: L R is the update.

    Raises:
        ValueError: If a fraction lies outside 0…1, factors are of different shapes, or ``sigma`` is neither.
    """
    shape = (target.left.shape[0], target.right.shape[1])
    rank = len(target.values)
    first, last = count_directions(top, shape), count_directions(tail, shape)
    indices = torch.tensor([*range(first), *range(max(first, rank - last), rank)], dtype=torch.long)
    return split_indices(donor, target, indices, sigma=sigma)


def split_indices(donor: Factors, target: Factors, indices: Tensor, *, sigma: Sigma) -> tuple[Tensor, Tensor]:
    """Return the update that restores the donor's directions at any indices, as :func:`split_directions` does."""
    shapes = [(one.left.shape[0], one.right.shape[1]) for one in (donor, target)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"factors of the donor are of shape {_write(shapes[0])}, the target's {_write(shapes[1])}")
    if sigma not in ("target", "donor"):
        raise ValueError(f"sigma: expected target or donor, got {sigma!r}")
    values = (donor if sigma == "donor" else target).values
    left = torch.cat(
        [donor.left[:, indices] * values[indices].float(), -target.left[:, indices] * target.values[indices].float()],
        dim=1,
    )
    return left, torch.cat([donor.right[indices], target.right[indices]])


def add_update(weight: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Return W + L R in W's dtype; W itself where L has no columns."""
    return torch.addmm(weight.float(), left, right).to(weight.dtype) if left.shape[1] else weight


def keep_triplets(weight: Tensor, donor_weight: Tensor, delta: Factors, count: int) -> Tensor:
    """Return Ŵ plus the first ``count`` singular triplets of ΔW = W − Ŵ, in W's dtype; W itself where all are kept.

    Raises:
        ValueError: If shapes differ.
    """
    check_factors(weight, delta=delta)
    check_shapes(weight, donor_weight)
    if count == len(delta.values):
        return weight
    kept = (delta.left[:, :count] * delta.values[:count].float()) @ delta.right[:count]
    return (donor_weight.float() + kept).to(weight.dtype)


def check_factors(weight: Tensor, **factors: Factors) -> None:
    """Raise a ValueError if factors, by what they are of, do not fit a matrix."""
    for name, found in factors.items():
        shape = (found.left.shape[0], found.right.shape[1])
        if shape != tuple(weight.shape):
            raise ValueError(
                f"factors of the {name} are of a {shape[0]} × {shape[1]} matrix, not {_write(weight.shape)}"
            )


def check_shapes(weight: Tensor, donor_weight: Tensor) -> None:
    """Raise a ValueError if the donor's tensor has not the target's shape, which PyTorch might stretch it to."""
    if donor_weight.shape != weight.shape:
        raise ValueError(f"the donor's tensor is {_write(donor_weight.shape)}, the target's {_write(weight.shape)}")


def _write(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))
