from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from card24_pipeline.spectral.decomposition import decompose
from card24_pipeline.spectral.subspaces import (
    Band,
    measure_alignment,
    measure_energy_inside,
    measure_relative_shift,
    measure_spectral_gaps,
    principal_angles,
    slice_band,
)


def turn(angles: list[float], size: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Two subspaces of a random basis at given principal angles."""
    basis = torch.from_numpy(np.linalg.qr(np.random.default_rng(1).standard_normal((size, size)))[0])
    count = len(angles)
    away = torch.tensor(angles, dtype=torch.float64)
    return basis[:, :count], basis[:, :count] * away.cos() + basis[:, count : 2 * count] * away.sin()


@pytest.mark.parametrize("angles", [[0.0, 1e-9, 1e-4], [0.3, 0.8, 1.2], [1e-8, math.pi / 4, math.pi / 2]], ids=str)
def test_known_angles_small_and_large(angles) -> None:
    found = principal_angles(*turn(angles))
    assert found.tolist() == pytest.approx(angles, abs=1e-14, rel=1e-6)


@pytest.mark.parametrize("largest", [1e-6, 1e-3, 0.5, math.pi / 2], ids=str)
def test_a_tiny_angle_beside_larger_ones_is_exact_to_their_sine_s_rounding(largest) -> None:
    angles = [0.0, 1e-6, largest]
    found = principal_angles(*turn(angles))
    assert found.tolist() == pytest.approx(sorted(angles), abs=2e-8 * math.sin(largest) + 1e-15)


def test_equal_subspaces_have_no_angle_between_them() -> None:
    basis, _ = turn([0.1, 0.2, 0.3, 0.4])
    mixed = basis @ torch.from_numpy(np.linalg.qr(np.random.default_rng(2).standard_normal((4, 4)))[0])
    assert principal_angles(basis, mixed).max() < 1e-15
    assert principal_angles(basis.float(), basis.float()).max() < 1e-6  # of columns rounded to float32


@pytest.mark.parametrize("apart", [1e-6, 1e-3, 1.0], ids=str)
def test_angles_equal_those_of_singular_values(apart) -> None:
    generator = np.random.default_rng(3)
    first = np.linalg.qr(generator.standard_normal((60, 12)))[0]
    second = np.linalg.qr(first + apart * generator.standard_normal((60, 12)))[0]
    found = principal_angles(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    expected = np.sort(scipy.linalg.subspace_angles(first, second))
    assert np.abs(found - expected).max() < 2e-8 * min(1, np.sin(expected.max()))


def test_angles_between_subspaces_of_different_size() -> None:
    first, second = turn([0.2, 0.5, 0.9])
    wider = torch.cat([second, turn([0.0, 0.0, 0.0, 0.0])[0][:, 3:]], dim=1)
    assert len(principal_angles(first, wider[:, :2])) == 2
    assert principal_angles(first, second[:, :1]).tolist() == pytest.approx([0.2])


def test_angles_refuse_columns_of_different_length() -> None:
    with pytest.raises(ValueError, match="one length"):
        principal_angles(torch.eye(4), torch.eye(3))


def test_bands_lie_where_they_should() -> None:
    assert [slice_band(10, band, 4) for band in Band] == [slice(0, 4), slice(3, 7), slice(6, 10)]
    with pytest.raises(ValueError, match="0 to 3"):
        slice_band(3, Band.top, 4)


def test_energy_inside_is_whole_for_a_change_of_the_top_alone(make_matrix) -> None:
    factors = decompose(make_matrix((12, 8), np.linspace(8, 1, 8)).float())
    inside = factors.left[:, :2] @ torch.randn(2, 2, generator=torch.Generator().manual_seed(0)) @ factors.right[:2]
    assert measure_energy_inside(inside, factors, slice(0, 2)) == pytest.approx(1, abs=1e-5)
    assert measure_energy_inside(inside, factors, slice(2, 8)) == pytest.approx(0, abs=1e-5)
    assert math.isnan(measure_energy_inside(torch.zeros(12, 8), factors, slice(0, 2)))


def test_alignment_ignores_signs_and_sees_swaps(make_matrix) -> None:
    weight = make_matrix((12, 4), [4.0, 3.0, 2.0, 1.0]).float()
    before = decompose(weight)
    after = decompose(-weight)
    assert all(
        torch.allclose(side, torch.ones(4, dtype=torch.float64), atol=1e-5) for side in measure_alignment(before, after)
    )
    values = torch.tensor([4.0, 2.0, 3.0, 1.0])
    left, right = measure_alignment(before, decompose((before.left * values) @ before.right))
    assert left.tolist() == pytest.approx([1, 0, 0, 1], abs=1e-5)
    assert right.tolist() == pytest.approx([1, 0, 0, 1], abs=1e-5)


def test_shift_is_relative_and_undefined_at_zero() -> None:
    before, after = torch.tensor([4.0, 2.0, 0.0]).double(), torch.tensor([5.0, 1.0, 1.0]).double()
    shift = measure_relative_shift(before, after)
    assert shift[:2].tolist() == [0.25, -0.5]
    assert shift[2].isnan()


def test_gap_is_that_to_the_nearest_neighbour() -> None:
    assert measure_spectral_gaps(torch.tensor([9.0, 5.0, 4.0, 4.0])).tolist() == [4, 1, 0, 0]
    assert measure_spectral_gaps(torch.tensor([9.0])).tolist() == [math.inf]
