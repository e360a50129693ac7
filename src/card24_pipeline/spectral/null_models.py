"""Random changes to hold a measured ΔW against."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor


def draw_gaussian_delta(delta: Tensor, generator: Generator) -> Tensor:
    """Draw independent Gaussian entries, scaled to the Frobenius norm of ``delta``; its shape, float32."""
    drawn = torch.randn(delta.shape, generator=generator)
    return drawn * (torch.linalg.vector_norm(delta.double()) / torch.linalg.vector_norm(drawn.double())).float()


def draw_spectrum_matched_delta(values: Tensor, shape: Sequence[int], generator: Generator) -> Tensor:
    """Draw a matrix with given singular values and bases that are uniform (Haar) on both sides, float32.

    Args:
        values: min(m, n) singular values.
        shape: m and n.
        generator: Source of randomness.

    Raises:
        ValueError: If the number of values is not min(m, n).
    """
    rows, columns = shape
    if values.shape != (min(shape),):
        raise ValueError(f"expected {min(shape)} singular values for shape {tuple(shape)}, got {tuple(values.shape)}")
    left = _draw_orthonormal(rows, len(values), generator)
    right = _draw_orthonormal(columns, len(values), generator)
    return (left * values.float()) @ right.T


def _draw_orthonormal(rows: int, columns: int, generator: Generator) -> Tensor:
    """Draw orthonormal columns uniformly: QR of a Gaussian with R's diagonal made positive (Mezzadri 2007)."""
    basis, triangle = torch.linalg.qr(torch.randn(rows, columns, generator=generator))
    return basis * torch.where(triangle.diagonal() < 0, -1.0, 1.0)
