from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch


@pytest.fixture
def make_matrix():
    """Build a matrix of known singular values in random bases."""

    def build(shape: tuple[int, int], values: Sequence[float], *, seed: int = 0) -> torch.Tensor:
        generator = np.random.default_rng(seed)
        rank = min(shape)
        assert len(values) == rank
        left, right = (np.linalg.qr(generator.standard_normal((side, rank)))[0] for side in shape)
        return torch.from_numpy((left * np.asarray(values)) @ right.T)

    return build
