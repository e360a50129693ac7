from __future__ import annotations

import pytest
import torch

from card24_pipeline.spectral.null_models import draw_gaussian_delta, draw_spectrum_matched_delta


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_gaussian_delta_keeps_the_norm_and_nothing_else() -> None:
    delta = torch.zeros(40, 20)
    delta[0, 0] = 3.0
    drawn = draw_gaussian_delta(delta, seeded())
    assert float(drawn.norm()) == pytest.approx(3, rel=1e-5)
    assert float(drawn.abs().max()) < 1
    assert torch.equal(drawn, draw_gaussian_delta(delta, seeded()))
    assert not torch.equal(drawn, draw_gaussian_delta(delta, seeded(1)))


@pytest.mark.parametrize("shape", [(9, 5), (5, 9), (6, 6)], ids=str)
def test_spectrum_matched_delta_keeps_the_singular_values(shape) -> None:
    values = torch.linspace(3, 0, min(shape))
    drawn = draw_spectrum_matched_delta(values.double(), shape, seeded())
    assert drawn.dtype == torch.float32
    assert torch.allclose(torch.linalg.svdvals(drawn), values, atol=1e-5)


def test_bases_are_uniform() -> None:
    # The first left vector of Haar bases has mean 0 and second moment 1/m in every coordinate.
    generator = seeded()
    first = torch.stack([draw_spectrum_matched_delta(torch.tensor([1.0, 0]), (4, 2), generator) for _ in range(4000)])
    assert float(first.mean(dim=0).abs().max()) < 0.03
    assert torch.allclose(first.square().mean(dim=0), torch.full((4, 2), 1 / 8), atol=0.015)


def test_values_must_fit_the_shape() -> None:
    with pytest.raises(ValueError, match="expected 2 singular values"):
        draw_spectrum_matched_delta(torch.ones(3), (5, 2), seeded())
