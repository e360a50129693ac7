from __future__ import annotations

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from card24_pipeline.spectral import decomposition
from card24_pipeline.spectral.decomposition import count_decomposition_flops, count_directions, decompose

SHAPES = [(12, 12), (30, 7), (7, 30), (1, 9), (9, 1), (1, 1), (3000, 5)]
SPECTRA = {
    "spread": lambda r: np.linspace(3, 1, r),
    "repeated": lambda r: np.repeat(2.0, r),
    "steep": lambda r: np.logspace(0, -9, r),
    "deficient": lambda r: np.where(np.arange(r) < max(r // 2, 1), 1.0, 0.0),
    "zero": lambda r: np.zeros(r),
}


def check_factors(weight: torch.Tensor, *, tolerance: float = 1e-5) -> None:
    exact = weight.double().numpy()
    factors = decompose(weight)
    reference = np.linalg.svd(exact, compute_uv=False)
    scale = max(reference[0], 1e-300)
    rank = min(weight.shape)
    assert factors.left.dtype == factors.right.dtype == torch.float32
    assert np.abs(factors.values.numpy() - reference).max() <= 1e-6 * scale
    rebuilt = (factors.left.double() * factors.values) @ factors.right.double()
    assert np.abs(rebuilt.numpy() - exact).max() <= tolerance * scale
    for basis in (factors.left.double().T @ factors.left.double(), factors.right.double() @ factors.right.double().T):
        assert torch.allclose(basis, torch.eye(rank, dtype=torch.float64), atol=tolerance)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_agrees_with_numpy(make_matrix, shape, spectrum) -> None:
    check_factors(make_matrix(shape, SPECTRA[spectrum](min(shape))).float())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_takes_every_float_dtype(make_matrix, dtype) -> None:
    check_factors(make_matrix((20, 8), np.linspace(3, 1, 8)).to(dtype))


@pytest.mark.parametrize(("smallest", "wanted"), [(2e-5, 0), (1e-6, 1)])
def test_only_a_tail_that_the_gram_matrix_loses_is_made_orthogonal_again(
    make_matrix, monkeypatch, smallest, wanted
) -> None:
    calls = []
    repair = decomposition._orthonormalise
    monkeypatch.setattr(decomposition, "_orthonormalise", lambda *args: calls.append(1) or repair(*args))
    decompose(make_matrix((20, 8), np.geomspace(1, smallest, 8)))
    assert len(calls) == wanted


@pytest.mark.parametrize("smallest", [1.01 * decomposition.SAFE_RATIO, 1e-6, 1e-8, 1e-11, 1e-14])
def test_factors_are_orthonormal_wherever_the_tail_ends(make_matrix, smallest) -> None:
    for shape in ((64, 32), (48, 48)):
        check_factors(make_matrix(shape, np.geomspace(1, smallest, min(shape))), tolerance=2e-6)


@pytest.mark.parametrize(("condition", "relative"), [(1e2, 1e-13), (1e4, 1e-9), (1e6, 7e-6)])
@pytest.mark.parametrize("shape", [(96, 64), (64, 64), (64, 3000)], ids=str)
def test_small_singular_values_are_as_exact_as_promised(make_matrix, shape, condition, relative) -> None:
    weight = make_matrix(shape, np.geomspace(1, 1 / condition, 64))
    exact = np.linalg.svd(weight.numpy(), compute_uv=False)
    assert decompose(weight).values.numpy() == pytest.approx(exact, rel=relative)


@pytest.mark.parametrize("shape", [(3000, 64), (64, 3000), (200, 200)], ids=str)
def test_values_to_1e_7_and_vectors_to_1e_6(shape) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    factors = decompose(weight)
    exact = torch.linalg.svdvals(weight.double())
    assert float((factors.values - exact).abs().max() / exact[0]) < 1e-7
    for basis in (factors.left.T.double(), factors.right.double()):
        assert torch.allclose(basis @ basis.T, torch.eye(min(shape), dtype=torch.float64), rtol=0, atol=1e-6)


def test_decomposing_leaves_the_threads_of_the_libraries(make_matrix) -> None:
    before = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
    decompose(make_matrix((8, 8), np.linspace(2, 1, 8)))
    after = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
    assert {path: after[path] for path in before} == before


def test_directions_of_a_small_tail_are_those_of_the_matrix(make_matrix) -> None:
    values = np.array([1.0, 0.5, 1e-6, 1e-7])
    weight = make_matrix((30, 4), values)
    factors = decompose(weight)
    along = (weight @ factors.right.double().T / torch.from_numpy(values) * factors.left.double()).sum(dim=0)
    assert along.tolist() == pytest.approx([1, 1, 1, 1], abs=0.05)


def test_signs_are_fixed(make_matrix) -> None:
    weight = make_matrix((10, 6), np.linspace(3, 1, 6)).float()
    factors = decompose(weight)
    largest = factors.left.gather(0, factors.left.abs().argmax(dim=0)[None])
    assert (largest > 0).all()
    again = decompose(weight.clone())
    assert torch.equal(factors.left, again.left)
    assert torch.equal(factors.right, again.right)


@pytest.mark.parametrize(
    "weight",
    [torch.ones(3), torch.ones(0, 3), torch.tensor([[1.0, float("nan")]]), torch.ones(2, 2, dtype=torch.int64)],
    ids=["vector", "empty", "nan", "integers"],
)
def test_refuses_what_is_no_finite_matrix(weight) -> None:
    with pytest.raises(ValueError, match="expected a matrix"):
        decompose(weight)


def test_directions_are_counted_by_the_short_side_and_halves_go_up() -> None:
    assert count_directions(0.2, (10, 4)) == 1
    assert count_directions(0.5, (5, 9)) == 3
    assert count_directions(0.29, (50, 51)) == 15
    assert (count_directions(0.0, (5, 9)), count_directions(1.0, (5, 9))) == (0, 5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        count_directions(1.2, (5, 9))


def test_flops_do_not_depend_on_the_orientation() -> None:
    assert count_decomposition_flops((2, 5)) == count_decomposition_flops((5, 2)) == 3 * 5 * 4 + 9 * 8
