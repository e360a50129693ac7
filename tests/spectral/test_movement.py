from __future__ import annotations

import math

import pytest
import torch

from card24_pipeline.spectral.decomposition import MatrixHistory
from card24_pipeline.spectral.movement import MODELS, SpectraSettings, measure_change, measure_return

SETTINGS = SpectraSettings((0.25,), 2, 0)


@pytest.fixture
def history() -> MatrixHistory:
    torch.manual_seed(0)
    basis, other = (torch.linalg.qr(torch.randn(16, 16))[0] for _ in range(2))
    before = basis @ torch.diag(torch.linspace(16, 1, 16)) @ other.T
    angle = torch.tensor(0.1)
    turn = torch.eye(16)
    # The first and the last left vector turn into each other; nothing else moves.
    turn[0, 0] = turn[15, 15] = angle.cos()
    turn[0, 15], turn[15, 0] = -angle.sin(), angle.sin()
    weights = {"before": before, "turned": basis @ turn @ basis.T @ before, "scaled": 1.02 * before, "same": before}
    return MatrixHistory("model.layers.1.mlp.up_proj.weight", weights.__getitem__)


def test_a_turn_of_known_angle_is_found_where_it_is(history) -> None:
    bands, indices = measure_change(history, "before", "turned", SETTINGS, by_index=True)
    seen = {row["band"]: row for row in bands if row["model"] == "observed"}
    degrees = math.degrees(0.1)
    for band in ("top", "tail"):
        assert seen[band]["left_angle_max_degrees"] == pytest.approx(degrees, rel=1e-3)
        assert seen[band]["left_angle_degrees"] == pytest.approx(degrees / 4, rel=1e-3)
        assert seen[band]["right_angle_max_degrees"] == pytest.approx(0, abs=1e-2)
    assert seen["bulk"]["left_angle_max_degrees"] == pytest.approx(0, abs=1e-2)
    assert seen["all"]["relative_sigma_shift"] == pytest.approx(0, abs=1e-5)
    cosines = [row["left_cosine"] for row in indices if row["model"] == "observed"]
    assert cosines[0] == pytest.approx(math.cos(0.1), abs=1e-5)
    assert cosines[7] == pytest.approx(1, abs=1e-5)


def test_scaling_shifts_every_value_and_turns_nothing(history) -> None:
    bands, _ = measure_change(history, "before", "scaled", SETTINGS)
    seen = [row for row in bands if row["model"] == "observed"]
    assert all(row["signed_sigma_shift"] == pytest.approx(0.02, rel=1e-3) for row in seen)
    assert all(row["left_angle_degrees"] < 0.05 for row in seen if row["band"] != "all")


def test_nulls_have_the_same_norm_and_their_draws(history) -> None:
    bands, indices = measure_change(history, "before", "turned", SETTINGS, by_index=True)
    draws = {(row["model"], row["draw"]) for row in bands}
    assert draws == {("observed", 0), *((model, draw) for model in MODELS[1:] for draw in range(2))}
    assert len({row["norm_ratio"] for row in bands}) == 1
    assert len(indices) == 3 * 16
    again, _ = measure_change(history, "before", "turned", SETTINGS)
    assert [row["left_angle_degrees"] for row in again if row["band"] == "top"] == [
        row["left_angle_degrees"] for row in bands if row["band"] == "top"
    ]


def test_the_way_back_is_measured_as_a_share_of_the_distance() -> None:
    torch.manual_seed(1)
    start, home = torch.randn(8, 6), torch.randn(8, 6)
    weights = {"start": start, "home": home, "after": start + 0.25 * (home - start)}
    matrix = MatrixHistory("model.layers.0.mlp.up_proj.weight", weights.__getitem__)
    (row,) = measure_return(matrix, "start", "after", ["home", "start"], 0.5)
    assert row["projection"] / row["distance_squared"] == pytest.approx(0.25, rel=1e-5)
    assert row["norm_squared"] / row["distance_squared"] == pytest.approx(0.0625, rel=1e-5)
    assert row["left_angle_after_degrees"] < row["left_angle_before_degrees"]
