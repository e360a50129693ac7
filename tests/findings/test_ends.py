import numpy as np
import pandas as pd
import pytest

from card24_pipeline.findings.changes import compare_ends, measure_rotation, name_ends

COUNT = 20  # indices 0 to 3 are the top end, 16 to 19 the tail end, the rest is the bulk
WIDE, NARROW = 8.0, 1.0


def make_matrix(rotation, gaps=None, model="observed", tensor="w", seed=0):
    """One matrix whose i-th vectors turned by ``rotation[i]`` degrees on average, the left ones thrice the right."""
    degrees = np.asarray(rotation, dtype=float)
    return pd.DataFrame(
        {
            "seed": seed,
            "tensor": tensor,
            "model": model,
            "index": range(COUNT),
            "position": np.arange(COUNT) / (COUNT - 1),
            "left_cosine": np.cos(np.radians(1.5 * degrees)),
            "right_cosine": np.cos(np.radians(0.5 * degrees)),
            "relative_gap": np.full(COUNT, NARROW) if gaps is None else gaps,
        }
    )


def find(indices, ends="ends", *, equal_gaps=False):
    table = compare_ends(indices)[name_ends(ends, equal_gaps=equal_gaps)]
    return table.set_index(["seed", "tensor", "model"])["value"].to_dict()


@pytest.fixture
def gaps():
    """Gaps are wide at all but one index of either end, and narrow at all but four of the bulk."""
    wide = [0, 1, 2, 17, 18, 19, 8, 9, 10, 11]
    return np.where(np.isin(np.arange(COUNT), wide), WIDE, NARROW)


def test_rotation_is_the_angle_of_the_cosine():
    assert measure_rotation(pd.Series([1.0, 0.5, 0.0, 1.0 + 1e-7])).tolist() == pytest.approx([0, 60, 90, 0])


def test_ends_are_taken_together_and_apart():
    rotation = [30.0] * 4 + [10.0] * 12 + [18.0] * 4
    indices = make_matrix(rotation)
    found = [find(indices, ends)[0, "w", "observed"] for ends in ("top end", "tail end", "ends")]
    assert found == pytest.approx([20, 8, 14])


def test_what_only_gaps_explain_vanishes_at_equal_gaps(gaps):
    indices = make_matrix(np.where(gaps == WIDE, 40.0, 4.0), gaps)
    key = (0, "w", "observed")
    assert find(indices)[key] == pytest.approx(36 * (6 / 8 - 4 / 12))
    for ends in ("ends", "top end", "tail end"):
        assert find(indices, ends, equal_gaps=True)[key] == pytest.approx(0)


def test_strata_weigh_their_smaller_side(gaps):
    at_end = np.isin(np.arange(COUNT), [0, 1, 2, 3, 16, 17, 18, 19])
    indices = make_matrix(np.where(gaps == WIDE, 20.0, 4.0) + at_end * np.where(gaps == WIDE, 10.0, 1.0), gaps)
    # wide: 6 at the ends against 4 in the bulk, 10° apart; narrow: 2 against 8, 1° apart
    assert find(indices, equal_gaps=True)[0, "w", "observed"] == pytest.approx((4 * 10 + 2 * 1) / 6)


def test_strata_of_the_observed_change_hold_for_the_nulls(gaps):
    rotation = np.where(gaps == WIDE, 40.0, 4.0)
    null = make_matrix(rotation, np.arange(COUNT) ** 2.0, model="gaussian")
    found = find(pd.concat([make_matrix(rotation, gaps), null]), equal_gaps=True)
    assert found[0, "w", "gaussian"] == pytest.approx(found[0, "w", "observed"]) == pytest.approx(0)


def test_matrix_without_gaps_to_compare_is_left_out():
    apart = np.where(np.isin(np.arange(COUNT), [0, 1, 2, 3, 16, 17, 18, 19]), WIDE, NARROW)
    unchanged = make_matrix([0.0] * COUNT, np.full(COUNT, np.inf), tensor="frozen")
    indices = pd.concat([make_matrix([5.0] * COUNT, apart), unchanged])
    assert find(indices, equal_gaps=True) == {}
    assert set(find(indices)) == {(0, "w", "observed"), (0, "frozen", "observed")}


def test_matrices_and_seeds_stay_apart():
    flat, steep = [10.0] * COUNT, [20.0] * 4 + [10.0] * 12 + [20.0] * 4
    indices = pd.concat([make_matrix(flat), make_matrix(steep, tensor="v"), make_matrix(steep, seed=1)])
    found = find(indices, equal_gaps=True)
    assert found == pytest.approx({(0, "w", "observed"): 0, (0, "v", "observed"): 10, (1, "w", "observed"): 10})
