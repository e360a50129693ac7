"""Decompositions and sweeps of edits beside full SVDs: `python -m benchmarks.bench_decomposition`."""

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import scipy.linalg
import torch
from threadpoolctl import threadpool_limits

from card24_pipeline.spectral.decomposition import count_decomposition_flops, count_directions, decompose
from card24_pipeline.spectral.merges import add_update, split_directions
from card24_pipeline.spectral.subspaces import principal_angles

SHAPES = ((576, 1536), (896, 4864), (1536, 8960), (1792, 1792), (3584, 3584))
ROUNDS = {(576, 1536): 5, (896, 4864): 3, (1536, 8960): 2, (1792, 1792): 3, (3584, 3584): 1}
ANGLES = (896, 179)  # a fifth of the directions of a matrix of 896 rows
SWEEP_SHAPE = (896, 4864)
FRACTIONS = tuple(number / 10 for number in range(1, 11))
PRODUCT_SIDE = 3072


def measure() -> dict[str, Any]:
    """Time ours, scipy's `gesdd` and PyTorch's SVD in turns for each shape, sweeps, angles and a large product.

    Returns:
        For each shape the seconds of the three, how many times ours the better of the others takes, the largest error
        of a singular value over σ_max and of a product of two vectors; seconds and ratio of principal angles; the
        sweep's seconds and ratio; and the FLOP/s of ours and of a square matrix product in float32 and float64.
    """
    results: dict[str, Any] = {name: _time_product(dtype) for name, dtype in PRODUCTS.items()}
    for shape in SHAPES:
        results |= _compare_decompositions(shape)
    return results | _compare_sweeps() | _compare_angles()


PRODUCTS = {"product_float32_flop_per_second": torch.float32, "product_float64_flop_per_second": torch.float64}


def draw_weight(shape: tuple[int, int], seed: int) -> torch.Tensor:
    """Draw a matrix with the bulk of a random one and a few large directions, as trained weights have."""
    generator = torch.Generator().manual_seed(seed)
    left, right = (torch.randn(side, 32, generator=generator) for side in shape)
    return 0.02 * torch.randn(shape, generator=generator) + 0.01 * (left / torch.arange(1, 33)) @ right.T


def _compare_decompositions(shape: tuple[int, int]) -> dict[str, float]:
    weight = draw_weight(shape, seed=0)
    ours, gesdd, full = [], [], []
    for _ in range(ROUNDS[shape]):
        ours.append(_time(lambda: decompose(weight)))
        with threadpool_limits(torch.get_num_threads(), "blas"):
            gesdd.append(_time(lambda: scipy.linalg.svd(weight.numpy(), full_matrices=False, lapack_driver="gesdd")))
        full.append(_time(lambda: torch.linalg.svd(weight, full_matrices=False)))
    exact, found = torch.linalg.svdvals(weight.double()), decompose(weight)
    error = float((found.values - exact).abs().max() / exact[0])
    bases = found.left.T.double(), found.right.double()
    apart = max(float((basis @ basis.T - torch.eye(len(basis))).abs().max()) for basis in bases)
    seconds, name = median(ours), f"{shape[0]}x{shape[1]}"
    return {
        f"decompose_{name}_seconds": seconds,
        f"gesdd_{name}_seconds": median(gesdd),
        f"torch_svd_{name}_seconds": median(full),
        f"decompose_{name}_ratio": median(gesdd) / seconds,
        f"decompose_{name}_torch_ratio": median(full) / seconds,
        f"decompose_{name}_vector_error": apart,
        f"decompose_{name}_sigma_error": error,
        f"decompose_{name}_flop_per_second": count_decomposition_flops(shape) / seconds,
    }


def _compare_angles() -> dict[str, float]:
    """Take principal angles by eigenvalues, as we do, and by singular values."""
    first, second = (torch.linalg.qr(torch.randn(ANGLES, dtype=torch.float64))[0] for _ in range(2))

    def by_values() -> tuple[torch.Tensor, torch.Tensor]:
        overlap = first.T @ second
        return torch.linalg.svdvals(overlap), torch.linalg.svdvals(second - first @ overlap)

    pairs = [(_time(lambda: principal_angles(first, second)), _time(by_values)) for _ in range(5)]
    ours, values = (median(one) for one in zip(*pairs, strict=True))
    return {"angles_seconds": ours, "angles_svd_seconds": values, "angles_ratio": values / ours}


def _compare_sweeps() -> dict[str, float]:
    """Sweep ten fractions: two decompositions in all, or two full SVDs and a product for each fraction."""
    target, donor = draw_weight(SWEEP_SHAPE, seed=1), draw_weight(SWEEP_SHAPE, seed=2)

    def sweep() -> None:
        factors = decompose(donor), decompose(target)
        for fraction in FRACTIONS:
            add_update(target, *split_directions(*factors, top=fraction))

    ours, published = _time(sweep), _time(lambda: [_merge_as_published(target, donor, top) for top in FRACTIONS])
    return {"sweep_seconds": ours, "published_sweep_seconds": published, "sweep_ratio": published / ours}


def _merge_as_published(target: torch.Tensor, donor: torch.Tensor, top: float) -> torch.Tensor:
    """Decompose both matrices, swap the first k directions and multiply out."""
    left, values, right = torch.linalg.svd(target, full_matrices=False)
    donor_left, _, donor_right = torch.linalg.svd(donor, full_matrices=False)
    count = count_directions(top, target.shape)
    left[:, :count], right[:count] = donor_left[:, :count], donor_right[:count]
    return (left * values) @ right


def _time_product(dtype: torch.dtype) -> float:
    """Return the FLOP/s of a square matrix product."""
    side = torch.randn(PRODUCT_SIDE, PRODUCT_SIDE, dtype=dtype)
    return 2 * PRODUCT_SIDE**3 / min(_time(lambda: side @ side) for _ in range(3))


def _time(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
