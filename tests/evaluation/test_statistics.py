import pytest

from card24_pipeline.evaluation.statistics import wilson_interval


class TestWilson:
    @pytest.mark.parametrize(
        ("successes", "trials", "low", "high"),
        [
            (8, 10, 0.4901625, 0.9433178),
            (0, 10, 0.0, 0.2775328),
            (10, 10, 0.7224672, 1.0),
            (1, 2, 0.0945312, 0.9054688),
            (50, 100, 0.4038315, 0.5961685),
        ],
    )
    def test_known_values_at_95_percent(self, successes, trials, low, high):
        interval = wilson_interval(successes, trials, confidence=0.95)
        assert interval.estimate == successes / trials
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-6)

    def test_ends_solve_the_score_equation(self):
        z = 1.6448536269514722
        interval = wilson_interval(3.5, 12, confidence=0.9)
        for end in (interval.low, interval.high):
            assert (interval.estimate - end) ** 2 == pytest.approx(z * z * end * (1 - end) / 12)

    def test_higher_level_is_wider(self):
        narrow, wide = (wilson_interval(7, 9, confidence=level) for level in (0.8, 0.99))
        assert wide.low < narrow.low < narrow.high < wide.high

    @pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 5), (6, 5), (1, -1)])
    def test_impossible_counts_are_refused(self, successes, trials):
        with pytest.raises(ValueError, match=f"got {successes} of {trials}"):
            wilson_interval(successes, trials, confidence=0.95)
