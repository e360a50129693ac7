import pytest


@pytest.fixture
def shares(make_settings):
    def compute(shape, *, warmup, updates):
        settings = make_settings(optimiser={"learning_rate_shape": shape, "warmup_updates": warmup}).optimiser
        return [settings.share(number, updates=updates) for number in range(1, updates + 1)]

    return compute


def test_warm_up_rises_along_a_line_and_the_rest_stays(shares):
    assert shares("constant", warmup=4, updates=7) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1])


def test_line_falls_from_the_peak_to_zero_just_after_the_last_update(shares):
    assert shares("linear", warmup=2, updates=6) == pytest.approx([0.5, 1, 1, 0.75, 0.5, 0.25])


def test_cosine_falls_by_half_a_period(shares):
    root = 0.5**0.5
    assert shares("cosine", warmup=0, updates=4) == pytest.approx([1, (1 + root) / 2, 0.5, (1 - root) / 2])


@pytest.mark.parametrize("shape", ["constant", "linear", "cosine"])
@pytest.mark.parametrize(("warmup", "updates"), [(0, 1), (1, 1), (3, 3), (5, 3)])
def test_runs_shorter_than_the_warm_up_are_all_warm_up(shares, shape, warmup, updates):
    expected = [number / warmup if warmup else 1 for number in range(1, updates + 1)]
    assert shares(shape, warmup=warmup, updates=updates) == pytest.approx(expected)
