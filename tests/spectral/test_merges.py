"""Updates of one matrix, and the methods of editing that are built on them, against the published ways in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from card24_pipeline.edits.methods.delta_threshold import delta_threshold
from card24_pipeline.edits.methods.delta_top import delta_top
from card24_pipeline.edits.methods.interpolation import interpolation
from card24_pipeline.edits.methods.layer_scaling import layer_scaling
from card24_pipeline.edits.methods.singular_values import singular_values
from card24_pipeline.edits.methods.uv_random import uv_random
from card24_pipeline.edits.methods.uv_tail import uv_tail
from card24_pipeline.edits.methods.uv_top import uv_top
from card24_pipeline.spectral.decomposition import Factors, decompose
from card24_pipeline.spectral.merges import add_update, split_directions

SHAPES = [(12, 12), (20, 8), (8, 20), (1, 6)]
MINIMUM_GAP = 0.1  # between neighbouring singular values of the matrices here: their directions are well defined


class Pair:
    """Donor and target of known spectra."""

    def __init__(self, make_matrix, shape, dtype=torch.float32) -> None:
        rank = min(shape)
        self.target = make_matrix(shape, 1 + MINIMUM_GAP * 2 * np.arange(rank)[::-1], seed=1).to(dtype)
        self.donor = make_matrix(shape, 1.3 + MINIMUM_GAP * 3 * np.arange(rank)[::-1], seed=2).to(dtype)
        self.factors = {"donor": decompose(self.donor), "target": decompose(self.target)}


@pytest.fixture(params=SHAPES, ids=str)
def pair(make_matrix, request) -> Pair:
    return Pair(make_matrix, request.param)


def restore_by_numpy(pair: Pair, indices: list[int], *, sigma: str) -> np.ndarray:
    """The published way: swap the vectors in full float64 decompositions, then multiply out."""
    u, s, vh = np.linalg.svd(pair.target.double().numpy(), full_matrices=False)
    du, ds, dvh = np.linalg.svd(pair.donor.double().numpy(), full_matrices=False)
    result = pair.target.double().numpy().copy()
    for i in indices:
        new = (s if sigma == "target" else ds)[i]
        result += new * np.outer(du[:, i], dvh[i]) - s[i] * np.outer(u[:, i], vh[i])
    return result


def merge_directions(weight, donor, target, **choices) -> torch.Tensor:
    return add_update(weight, *split_directions(donor, target, **choices))


def assert_near(found: torch.Tensor, wanted, *, scale: float, tolerance: float = 2e-6) -> None:
    wanted = torch.as_tensor(wanted).double()
    assert float((found.double() - wanted).abs().max()) <= tolerance * scale


@pytest.mark.parametrize("sigma", ["target", "donor"])
@pytest.mark.parametrize(("top", "tail"), [(0.25, 0.0), (0.0, 0.25), (0.25, 0.5), (1.0, 0.0), (0.75, 0.75)])
def test_directions_as_the_published_way_gives_them(pair, top, tail, sigma) -> None:
    rank = min(pair.target.shape)
    first, last = int(top * rank + 0.5), int(tail * rank + 0.5)
    indices = sorted({*range(first), *range(rank - last, rank)})
    found = merge_directions(pair.target, **pair.factors, top=top, tail=tail, sigma=sigma)
    scale = float(pair.factors["donor"].values[0])
    assert_near(found, restore_by_numpy(pair, indices, sigma=sigma), scale=scale)


def test_nothing_asked_for_returns_the_target_bit_for_bit(pair) -> None:
    assert torch.equal(merge_directions(pair.target, **pair.factors), pair.target)
    assert interpolation(pair.target, pair.donor, donor_share=0.0) is pair.target
    assert layer_scaling(pair.target, pair.donor, 1.0, shallow_share=0.0) is pair.target


def test_all_triplets_give_the_donor(pair) -> None:
    found = merge_directions(pair.target, **pair.factors, top=1.0, sigma="donor")
    assert_near(found, pair.donor, scale=float(pair.factors["donor"].values[0]))


def test_all_directions_with_the_targets_values_are_not_the_donor(pair) -> None:
    found = merge_directions(pair.target, **pair.factors, top=1.0)
    assert float((found - pair.donor).norm() / pair.donor.norm()) > 0.05
    again = decompose(found)
    assert torch.allclose(again.values, pair.factors["target"].values, rtol=1e-5)
    if min(pair.target.shape) > 1:
        assert torch.allclose(again.left, pair.factors["donor"].left, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_dtype_is_kept(make_matrix, dtype) -> None:
    pair = Pair(make_matrix, (20, 8), dtype)
    assert interpolation(pair.target, pair.donor, donor_share=0.5).dtype == dtype
    found = merge_directions(pair.target, **pair.factors, top=0.5)
    assert found.dtype == dtype
    scale = float(pair.factors["donor"].values[0])
    assert_near(found, restore_by_numpy(pair, range(4), sigma="target"), scale=scale, tolerance=torch.finfo(dtype).eps)


def test_update_has_rank_2k_and_is_what_is_added(pair) -> None:
    left, right = split_directions(**pair.factors, top=0.5)
    count = int(0.5 * min(pair.target.shape) + 0.5)
    assert left.shape[1] == right.shape[0] == 2 * count
    found = merge_directions(pair.target, **pair.factors, top=0.5)
    assert_near(found - pair.target, left @ right, scale=float(pair.factors["donor"].values[0]))


@pytest.mark.parametrize("sigma", ["target", "donor"])
def test_methods_restore_the_end_that_they_name(pair, sigma) -> None:
    for method, knob, end in ((uv_top, "top_fraction", "top"), (uv_tail, "tail_fraction", "tail")):
        found = add_update(pair.target, *method(**pair.factors, **{knob: 0.5}, sigma=sigma))
        assert torch.equal(found, merge_directions(pair.target, **pair.factors, **{end: 0.5}, sigma=sigma))


def test_singular_values_only(pair) -> None:
    found = decompose(singular_values(pair.target, **pair.factors))
    assert torch.allclose(found.values, pair.factors["donor"].values, rtol=1e-5)
    if min(pair.target.shape) > 1:
        assert torch.allclose(found.right, pair.factors["target"].right, atol=1e-4)


def test_random_indices_are_as_many_and_drawn(pair) -> None:
    def draw(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return add_update(pair.target, *uv_random(**pair.factors, generator=generator, random_fraction=0.5))

    rank = min(pair.target.shape)
    assert torch.equal(draw(1), draw(1))
    chosen = torch.randperm(rank, generator=torch.Generator().manual_seed(1))[: int(0.5 * rank + 0.5)].tolist()
    scale = float(pair.factors["donor"].values[0])
    assert_near(draw(1), restore_by_numpy(pair, chosen, sigma="target"), scale=scale)


def test_interpolation_and_depth(pair) -> None:
    assert_near(interpolation(pair.target, pair.donor, donor_share=1.0), pair.donor, scale=1.0)
    half = layer_scaling(pair.target, pair.donor, depth=0.0, shallow_share=0.5)
    assert_near(half, 0.5 * (pair.target + pair.donor), scale=1.0)
    deeper = layer_scaling(pair.target, pair.donor, depth=0.5, shallow_share=0.5)
    assert_near(deeper, 0.75 * pair.target + 0.25 * pair.donor, scale=1.0)
    assert_near(layer_scaling(pair.target, pair.donor, depth=0.0, shallow_share=0.0), pair.donor, scale=1.0)


def test_truncated_delta(pair) -> None:
    delta = decompose(pair.target - pair.donor)
    none = delta_top(pair.target, pair.donor, delta, delta_fraction=0.0)
    assert_near(none, pair.donor, scale=1.0)
    assert torch.equal(delta_top(pair.target, pair.donor, delta, delta_fraction=1.0), pair.target)
    u, s, vh = np.linalg.svd((pair.target - pair.donor).double().numpy(), full_matrices=False)
    count = int(0.5 * len(s) + 0.5)
    wanted = pair.donor.double().numpy() + (u[:, :count] * s[:count]) @ vh[:count]
    assert_near(delta_top(pair.target, pair.donor, delta, delta_fraction=0.5), wanted, scale=4.0)


def test_threshold_of_a_square_matrix_is_the_published_constant() -> None:
    # ω(1) ≈ 2.858 (Gavish & Donoho 2014, table IV); the fitted cubic gives 2.86.
    values = torch.tensor([2.9, 2.8, 1.0, 1.0, 1.0, 1.0, 1.0]).double()
    delta = Factors(torch.eye(7), values, torch.eye(7))
    donor = torch.zeros(7, 7)
    found = delta_threshold(torch.diag(values.float()), donor, delta)
    assert found.diagonal().tolist() == pytest.approx([2.9, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: merge_directions(p.target, **p.factors, top=1.5), "from 0 to 1"),
        (lambda p: merge_directions(p.target, **p.factors, top=0.5, sigma="both"), "expected target or donor"),
        (lambda p: singular_values(p.target[:, :3], **p.factors), "factors of the donor"),
        (lambda p: split_directions(p.factors["donor"], decompose(p.target[:9])), "donor are of shape 20 × 8"),
        (lambda p: singular_values(p.target, p.factors["donor"], decompose(p.target[1:])), "are of a 19 × 8"),
        (lambda p: delta_top(p.target, p.donor, decompose(p.target[:9]), delta_fraction=0.5), "delta are of a 9"),
        (lambda p: delta_threshold(p.target, p.donor[:, :3], decompose(p.donor)), "the donor's tensor is 20 × 3"),
        (lambda p: interpolation(p.target, p.donor[:, :3], donor_share=0.5), "the donor's tensor is 20 × 3"),
        (lambda p: layer_scaling(p.target, p.donor, depth=2.0, shallow_share=0.5), "from 0 to 1"),
    ],
)
def test_bad_input_is_refused(make_matrix, call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call(Pair(make_matrix, (20, 8)))
