"""How singular subspaces and values differ between two matrices."""

import math
from enum import StrEnum

import torch
from torch import Tensor

from card24_pipeline.spectral.decomposition import Factors


class Band(StrEnum):
    """Part of a spectrum: the largest, the middle or the smallest singular values."""

    top = "top"
    bulk = "bulk"
    tail = "tail"


def slice_band(count: int, band: Band, directions: int) -> slice:
    """Return the indices of a band of ``directions`` among ``count`` singular values, the bulk being centred.

    Raises:
        ValueError: If there are fewer values than directions.
    """
    if not 0 <= directions <= count:
        raise ValueError(f"expected 0 to {count} directions, got {directions}")
    start = {Band.top: 0, Band.bulk: (count - directions) // 2, Band.tail: count - directions}[band]
    return slice(start, start + directions)


def principal_angles(first: Tensor, second: Tensor) -> Tensor:
    """Return the principal angles between two subspaces, ascending, in radians, float64.

    Cosines are the singular values of C = AᵀB, sines those of R = B − AC: each angle is taken from the one that is
    accurate there (Björck & Golub 1973, Math. Comp. 27). They are the roots of the eigenvalues of CᵀC and RᵀR, cheaper
    by far than singular values: angles are exact to 2e-8 of the largest sine or, beyond 45°, to 2e-8.

    Args:
        first: A, m × p with orthonormal columns.
        second: B, m × q with orthonormal columns.

    Returns:
        min(p, q) angles from 0 to π/2.

    Raises:
        ValueError: If the columns lie in different spaces.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[0] != second.shape[0]:
        raise ValueError(f"expected columns of one length, got shapes {tuple(first.shape)} and {tuple(second.shape)}")
    if second.shape[1] > first.shape[1]:
        first, second = second, first
    wide, narrow = first.double(), second.double()
    overlap = wide.T @ narrow
    rest = torch.addmm(narrow, wide, overlap, alpha=-1)
    cosines, sines = (torch.linalg.eigvalsh(one.T @ one).clamp(0, 1).sqrt() for one in (overlap, rest))
    cosines = cosines.flip(0)
    return torch.where(cosines < math.sqrt(0.5), cosines.acos(), sines.asin())


def measure_energy_inside(delta: Tensor, factors: Factors, band: slice) -> float:
    """Return ‖U_bᵀ ΔW V_b‖² / ‖ΔW‖²: the share of a change inside a band's subspaces on both sides.

    NaN where there is no change.
    """
    total = float(delta.double().square().sum())
    core = factors.left[:, band].T @ delta.float() @ factors.right[band].T
    return float(core.double().square().sum()) / total if total else math.nan


def measure_alignment(before: Factors, after: Factors) -> tuple[Tensor, Tensor]:
    """Return |cos| between the i-th left and between the i-th right vectors, for every index, float64."""
    left = (before.left.double() * after.left.double()).sum(dim=0).abs().clamp(max=1)
    right = (before.right.double() * after.right.double()).sum(dim=1).abs().clamp(max=1)
    return left, right


def measure_relative_shift(before: Tensor, after: Tensor) -> Tensor:
    """Return (σ' − σ) / σ for every index; NaN where σ is 0 to rounding (below 1e-7 of the largest)."""
    defined = before > 1e-7 * before.max()
    return torch.where(defined, (after - before) / before, math.nan)


def measure_spectral_gaps(values: Tensor) -> Tensor:
    """Return the distance of each singular value to its nearest neighbour; infinite for a single one."""
    steps = -values.diff()
    far = values.new_full((1,), math.inf)
    return torch.minimum(torch.cat([far, steps]), torch.cat([steps, far]))
