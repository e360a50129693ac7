"""Edits of one matrix W of a fine-tuned target toward a donor's: one pure function for each method.

Arithmetic is in float32, the result has W's dtype. Hats are the donor's: Ŵ = Û diag(σ̂) V̂ᵀ. An edit of nothing returns
W itself. ``donor`` and ``target`` are the factors of Ŵ and W.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Generator, Tensor

from card24_pipeline.spectral.decomposition import Factors, count_directions

Sigma = Literal["target", "donor"]


def merge_directions(
    weight: Tensor,
    donor: Factors,
    target: Factors,
    *,
    top: float = 0.0,
    tail: float = 0.0,
    sigma: Sigma = "target",
) -> Tensor:
    """Restore the donor's singular directions at the largest and smallest singular values (UV-merge).

    W + Σ_{i∈K} (sᵢ ûᵢ v̂ᵢᵀ − σᵢ uᵢ vᵢᵀ), where K holds the first round(top·r) and the last round(tail·r) indices and sᵢ
    is σᵢ (``sigma="target"``: directions only) or σ̂ᵢ (``"donor"``: full singular triplets). The method of
    arXiv 2509.12235, written as an update of rank 2|K|.

    Raises:
        ValueError: If a fraction lies outside 0…1, factors do not fit W, or ``sigma`` is neither of the two.
    """
    _check_factors(weight, donor=donor, target=target)
    return _add_update(weight, *split_directions(donor, target, top=top, tail=tail, sigma=sigma))


def split_directions(
    donor: Factors, target: Factors, *, top: float = 0.0, tail: float = 0.0, sigma: Sigma = "target"
) -> tuple[Tensor, Tensor]:
    """Return the update of :func:`merge_directions` as L (m × 2k) and R (2k × n), float32: L R is what is added to W.

    Raises:
        ValueError: See :func:`merge_directions`.
    """
    shape = (target.left.shape[0], target.right.shape[1])
    rank = len(target.values)
    first, last = count_directions(top, shape), count_directions(tail, shape)
    indices = torch.tensor([*range(first), *range(max(first, rank - last), rank)], dtype=torch.long)
    return _split_indices(donor, target, indices, sigma)


def split_singular_values(donor: Factors, target: Factors) -> tuple[Tensor, Tensor]:
    """Return the update of :func:`merge_singular_values` as L (m × r) and R (r × n), float32.

    Raises:
        ValueError: If the factors are of matrices of different shapes.
    """
    _check_pair(donor, target)
    return target.left * (donor.values - target.values).float(), target.right


def merge_random_directions(
    weight: Tensor,
    donor: Factors,
    target: Factors,
    *,
    fraction: float,
    generator: Generator,
    sigma: Sigma = "target",
) -> Tensor:
    """Restore directions at k = round(fraction·r) indices drawn without replacement: a control of the UV-merge.

    Raises:
        ValueError: See :func:`merge_directions`.
    """
    _check_factors(weight, donor=donor, target=target)
    count = count_directions(fraction, weight.shape)
    indices = torch.randperm(len(target.values), generator=generator)[:count]
    return _add_update(weight, *_split_indices(donor, target, indices, sigma))


def merge_singular_values(weight: Tensor, donor: Factors, target: Factors) -> Tensor:
    """Restore the donor's singular values and keep the target's directions: W + U diag(σ̂ − σ) Vᵀ.

    Raises:
        ValueError: If factors do not fit W.
    """
    _check_factors(weight, donor=donor, target=target)
    return _add_update(weight, *split_singular_values(donor, target))


def interpolate(weight: Tensor, donor_weight: Tensor, *, donor_share: float) -> Tensor:
    """Return (1 − α) W + α Ŵ with α = ``donor_share`` (WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903); any shape.

    Raises:
        ValueError: If the share lies outside 0…1 or the shapes differ.
    """
    _check_donor(weight, donor_weight, donor_share)
    if donor_share == 0:
        return weight
    return torch.lerp(weight.float(), donor_weight.float(), donor_share).to(weight.dtype)


def scale_by_depth(weight: Tensor, donor_weight: Tensor, *, depth: float, shallow_share: float) -> Tensor:
    """Return Ŵ + λ (W − Ŵ) with λ = s + (1 − s)·depth: the shallower, the nearer to the donor; any shape.

    LiNeS (Wang et al. 2024, arXiv 2410.17146): ``depth`` runs from 0 (first layer) to 1 (last), and s =
    ``shallow_share`` is the share of ΔW that the first layer keeps.

    Raises:
        ValueError: If depth or share lie outside 0…1 or the shapes differ.
    """
    _check_donor(weight, donor_weight, depth, shallow_share)
    return interpolate(weight, donor_weight, donor_share=(1 - shallow_share) * (1 - depth))


def truncate_delta(weight: Tensor, donor_weight: Tensor, delta: Factors, *, fraction: float) -> Tensor:
    """Return Ŵ plus the first k = round(fraction·r) singular triplets of ΔW = W − Ŵ, whose factors ``delta`` holds.

    Raises:
        ValueError: If the fraction lies outside 0…1 or shapes differ.
    """
    _check_factors(weight, delta=delta)
    _check_donor(weight, donor_weight, fraction)
    return _keep_triplets(weight, donor_weight, delta, count_directions(fraction, weight.shape))


def hard_threshold_delta(weight: Tensor, donor_weight: Tensor, delta: Factors) -> Tensor:
    """Return Ŵ plus the singular triplets of ΔW = W − Ŵ above the optimal hard threshold for unknown noise.

    The threshold is ω(β)·median(σ) with β = min(m, n)/max(m, n) and ω(β) ≈ 0.56β³ − 0.95β² + 1.82β + 1.43
    (Gavish & Donoho 2014, arXiv 1305.5870, equation 5).

    Raises:
        ValueError: If shapes differ.
    """
    _check_factors(weight, delta=delta)
    _check_donor(weight, donor_weight)
    beta = min(weight.shape) / max(weight.shape)
    threshold = (0.56 * beta**3 - 0.95 * beta**2 + 1.82 * beta + 1.43) * delta.values.quantile(0.5)
    return _keep_triplets(weight, donor_weight, delta, int((delta.values > threshold).sum()))


def _keep_triplets(weight: Tensor, donor_weight: Tensor, delta: Factors, count: int) -> Tensor:
    """Return the donor plus the first triplets of ΔW, or W itself where all of them are kept."""
    if count == len(delta.values):
        return weight
    kept = (delta.left[:, :count] * delta.values[:count].float()) @ delta.right[:count]
    return (donor_weight.float() + kept).to(weight.dtype)


def _split_indices(donor: Factors, target: Factors, indices: Tensor, sigma: Sigma) -> tuple[Tensor, Tensor]:
    _check_pair(donor, target)
    if sigma not in ("target", "donor"):
        raise ValueError(f"sigma: expected target or donor, got {sigma!r}")
    values = (donor if sigma == "donor" else target).values
    left = torch.cat(
        [donor.left[:, indices] * values[indices].float(), -target.left[:, indices] * target.values[indices].float()],
        dim=1,
    )
    return left, torch.cat([donor.right[indices], target.right[indices]])


def _add_update(weight: Tensor, left: Tensor, right: Tensor) -> Tensor:
    return torch.addmm(weight.float(), left, right).to(weight.dtype) if left.shape[1] else weight


def _check_factors(weight: Tensor, **factors: Factors) -> None:
    for name, found in factors.items():
        shape = (found.left.shape[0], found.right.shape[1])
        if shape != tuple(weight.shape):
            raise ValueError(
                f"factors of the {name} are of a {shape[0]} × {shape[1]} matrix, not {_write(weight.shape)}"
            )


def _check_pair(donor: Factors, target: Factors) -> None:
    shapes = [(one.left.shape[0], one.right.shape[1]) for one in (donor, target)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"factors of the donor are of shape {_write(shapes[0])}, the target's {_write(shapes[1])}")


def _check_donor(weight: Tensor, donor_weight: Tensor, *shares: float) -> None:
    if donor_weight.shape != weight.shape:
        raise ValueError(f"the donor's tensor is {_write(donor_weight.shape)}, the target's {_write(weight.shape)}")
    for share in shares:
        if not 0 <= share <= 1:
            raise ValueError(f"expected a number from 0 to 1, got {share}")


def _write(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))
