"""Exact singular value decompositions by the fastest way that keeps the accuracy."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from torch import Tensor

# Rows of the long side that are turned to float64 at a time.
BLOCK_ROWS = 2048
# Vectors of the second side are W v / σ, and squaring costs them orthogonality as σ falls: above this ratio of σ to
# σ_max it holds to about 1e-7, the rounding of the float32 in which factors are kept; a tenth of it costs a digit more.
SAFE_RATIO = 1e-5
# Images W v shorter than this share of σ_max are rounding and point anywhere.
ZERO_RATIO = 1e-12


@dataclass(frozen=True)
class Factors:
    """Thin singular value decomposition W = U diag(s) Vh of an m × n matrix, r = min(m, n).

    Attributes:
        left: U, m × r, float32, orthonormal columns. The largest entry of each, by magnitude, is positive.
        values: s, r singular values, descending, float64.
        right: Vh, r × n, float32, orthonormal rows.
    """

    left: Tensor
    values: Tensor
    right: Tensor


def count_directions(fraction: float, shape: Sequence[int]) -> int:
    """Return k = round(fraction × min(m, n)), halves rounded up: how many singular directions a fraction means.

    Raises:
        ValueError: If the fraction lies outside 0…1.
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"expected a fraction from 0 to 1, got {fraction}")
    # Rounded first, for 0.29 × 50 is a hair below 14.5 in binary.
    return math.floor(round(fraction * min(shape), 9) + 0.5)


def decompose(weight: Tensor) -> Factors:
    """Decompose a matrix exactly.

    The Gram matrix of the short side, summed in float64 block by block, is handed to a symmetric eigensolver; the
    vectors of the long side follow as W v / σ. Where σ lies under ``SAFE_RATIO`` of the largest, that would lose their
    orthogonality, so those few are made orthogonal to the others and to each other, and their σ is the length of W v.

    Singular values are exact to 1e-13 of themselves where σ_max / σ is 1e2, to 1e-9 where it is 1e4 and to 7e-6 where
    it is 1e6; vectors are orthonormal to the rounding of float32.

    Args:
        weight: m × n matrix of any floating dtype.

    Raises:
        ValueError: If it is no matrix, is empty, or holds NaN or infinity.
    """
    if weight.ndim != 2 or not weight.numel():
        raise ValueError(f"expected a matrix with entries, got shape {tuple(weight.shape)}")
    if not weight.is_floating_point() or not torch.isfinite(torch.stack(weight.aminmax())).all():
        raise ValueError("expected a matrix of finite floating-point numbers")
    rows, columns = weight.shape
    left, values, right = _decompose_tall(weight if rows >= columns else weight.T)
    return _fix_signs(left, values, right) if rows >= columns else _fix_signs(right, values, left)


def _decompose_tall(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return float32 U (m × n), float64 s and float32 V (n × n) of a matrix with m ≥ n.

    By scipy's and numpy's linear algebra, whose symmetric product, divide-and-conquer solver and product take 0.7 of
    the time of PyTorch's, with as many threads as PyTorch is set to.
    """
    from scipy.linalg import blas, eigh

    blocks, side = weight.split(BLOCK_ROWS), weight.shape[1]
    with _find_libraries().limit(limits=torch.get_num_threads(), user_api="blas"):
        gram = np.zeros((side, side), order="F")
        for block in blocks:
            gram = blas.dsyrk(1.0, _to_array(block).T, beta=1.0, c=gram, lower=1, overwrite_c=1)
        squares, vectors = eigh(gram, driver="evd", overwrite_a=True, check_finite=False)  # ascending
        values = np.sqrt(squares.clip(0))
        lost = int((values <= SAFE_RATIO * values[-1]).sum())
        images = (torch.from_numpy(_to_array(block) @ vectors[:, lost:]) for block in blocks)
        left = torch.cat([image.div_(torch.from_numpy(values[lost:])).float() for image in images])
        if lost:
            found = np.concatenate([_to_array(block) @ vectors[:, :lost] for block in blocks])
            lengths = np.linalg.norm(found, axis=0)  # σ, without the rounding of σ_max²
            order = lengths.argsort()
            vectors[:, :lost] = vectors[:, order]
            values[:lost] = lengths[order].clip(max=values[min(lost, side - 1)])
            # The longest first, as those before it are left alone when a vector is made orthogonal.
            repaired = _orthonormalise(torch.from_numpy(found[:, order[::-1]]), left, float(values[-1]))
            left = torch.cat([repaired.flip(1), left], dim=1)
    return left.flip(1), torch.from_numpy(values).flip(0), torch.from_numpy(vectors).float().flip(1)


def _to_array(block: Tensor) -> NDArray[np.float64]:
    """Return a block as a float64 array, row after row."""
    array: NDArray[np.float64] = block.double().contiguous().numpy()
    return array


@cache
def _find_libraries() -> ThreadpoolController:
    """Return the handle on the loaded libraries' threads; scipy's is among them once it is imported."""
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()


def _orthonormalise(images: Tensor, basis: Tensor, largest: float) -> Tensor:
    """Return orthonormal columns (float32) along ``images``, orthogonal to ``basis``.

    Twice is enough to remove what rounding leaves (Giraud, Langou & Rozložník 2005).
    """
    lengths = torch.linalg.vector_norm(images, dim=0)
    anywhere = torch.randn(images.shape, generator=torch.Generator().manual_seed(0), dtype=images.dtype)
    columns = torch.where(lengths > ZERO_RATIO * largest, images / lengths, anywhere)
    wide = basis.double()
    for _ in range(2):
        columns, triangle = torch.linalg.qr(columns - wide @ (wide.T @ columns))
        columns = columns * torch.where(triangle.diagonal() < 0, -1.0, 1.0)
    return columns.float()


def _fix_signs(left: Tensor, values: Tensor, right: Tensor) -> Factors:
    """Turn each pair of vectors so that the left one's largest entry is positive; ``right`` holds columns."""
    signs = torch.where(left.amax(dim=0) < -left.amin(dim=0), -1.0, 1.0)
    return Factors((left * signs).contiguous(), values, (right * signs).T.contiguous())


class MatrixHistory:
    """One tensor by the names of checkpoints; each is read, and decomposed, once and when first asked for.

    Attributes:
        name: The tensor's name.
        tensor: Returns the tensor of a checkpoint in its own dtype.
        factors: Returns the factors of a checkpoint's matrix.
    """

    def __init__(self, name: str, read: Callable[[str], Tensor]) -> None:
        """Take the tensor's name, and what reads the tensor of a checkpoint."""
        tensor: Callable[[str], Tensor] = cache(read)
        factors: Callable[[str], Factors] = cache(lambda checkpoint: decompose(tensor(checkpoint)))
        self.name, self.tensor, self.factors = name, tensor, factors


def count_decomposition_flops(shape: Sequence[int]) -> int:
    """Return the floating-point operations of the Gram route for an m × n matrix, in FLOP.

    With r = min(m, n), l = max(m, n): l r² for the Gram matrix's distinct entries, 9 r³ for the symmetric eigenproblem
    with vectors (Golub & Van Loan 2013, section 8.3), and 2 l r² for the other side's vectors.
    """
    short, long = min(shape), max(shape)
    return 3 * long * short**2 + 9 * short**3
