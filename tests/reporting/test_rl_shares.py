import math

import numpy as np
import pandas as pd
import pytest

from card24_pipeline.reporting.resampling import bootstrap_share
from card24_pipeline.reporting.rl_shares import bootstrap_overlap, mark_overlaps, name_overlap

SETTINGS = {"resamples": 500, "confidence": 0.9, "seed": 3}


class TestBootstrapShare:
    @pytest.fixture
    def hands(self):
        generator = np.random.default_rng(0)
        return pd.DataFrame(
            {
                "multiset": np.repeat([f"m{number:02}" for number in range(20)], 3),
                "gain": generator.random(60) < 0.4,
                "loss": generator.random(60) < 0.7,
            }
        ).astype({"gain": float, "loss": float})

    def test_interval_is_of_the_ratio_in_every_draw(self, hands):
        share = bootstrap_share(hands, "gain", "loss", **SETTINGS)
        groups = [group for _, group in hands.groupby("multiset")]
        draws = np.random.default_rng(3).multinomial(20, [1 / 20] * 20, size=500)
        ratios = []
        for counts in draws:
            drawn = pd.concat([group for group, count in zip(groups, counts, strict=True) for _ in range(count)])
            ratios.append(drawn["gain"].mean() / drawn["loss"].mean())
        assert share.estimate == pytest.approx(hands["gain"].mean() / hands["loss"].mean())
        assert [share.low, share.high] == pytest.approx(np.quantile(ratios, [0.05, 0.95]))

    def test_a_loss_in_doubt_has_no_share(self, hands):
        hands["loss"] = [-1.0, 1.0] * 30
        assert math.isnan(bootstrap_share(hands, "gain", "loss", **SETTINGS).estimate)

    def test_a_rise_is_no_loss(self, hands):
        hands["loss"] = -1.0
        assert math.isnan(bootstrap_share(hands, "gain", "loss", **SETTINGS).low)

    def test_draws_without_a_loss_lie_beyond_all_bounds(self):
        # The six multisets that hold the loss are missed by 0.5 ** 12 of all draws: one of these 4000.
        hands = pd.DataFrame({"multiset": list("abcd"), "gain": [0.0, 0.0, 1.0, 1.0], "loss": [1.0, 1.0, 0.0, 0.0]})
        hands = pd.concat([hands.assign(multiset=hands["multiset"] + suffix) for suffix in "xyz"])
        draws = np.random.default_rng(3).multinomial(12, [1 / 12] * 12, size=4000)
        lost = draws[:, [0, 1, 2, 3, 4, 5]].sum(axis=1)
        assert 0 < (lost == 0).sum() < 4000 * 0.0005
        share = bootstrap_share(hands, "gain", "loss", resamples=4000, confidence=0.999, seed=3)
        assert share.estimate == 1.0
        assert math.isfinite(share.low)
        assert share.high > 10


class TestOverlaps:
    @pytest.fixture
    def hands(self):
        solved = pd.DataFrame(
            {
                "multiset": list("aabbccdd"),
                "max_ood": [1, 1, 1, 1, 0, 0, 0, 0],
                "end": [0, 0, 0, 1, 1, 0, 0, 0],
                "after": [1, 0, 1, 1, 0, 1, 0, 0],
            }
        )
        marks = mark_overlaps(solved["max_ood"], solved["end"], solved["after"].astype(float), "plain")
        return solved.assign(**marks)

    @pytest.mark.parametrize(
        ("overlap", "share", "hands_of_it"),
        [
            ("solved by max_ood only", 2 / 3, 3),
            ("solved by neither", 1 / 3, 3),
            ("solved by both", 1.0, 1),
            ("solved by end only", 0.0, 1),
        ],
    )
    def test_shares_are_those_worked_out_by_hand(self, hands, overlap, share, hands_of_it):
        interval, count = bootstrap_overlap(hands, name_overlap("plain", overlap), **SETTINGS)
        assert (interval.estimate, count) == (share, hands_of_it)

    def test_hands_of_one_multiset_have_a_share_without_bounds(self, hands):
        interval, _ = bootstrap_overlap(hands, name_overlap("plain", "solved by both"), **SETTINGS)
        assert interval.estimate == 1.0
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)

    def test_bounds_are_of_the_ratio_in_every_draw(self):
        numbers = [f"m{number:02}" for number in range(20)]
        solved = pd.DataFrame({"multiset": numbers, "one": 1.0, "none": 0.0, "after": [1.0, 0.0] * 10})
        hands = solved.assign(**mark_overlaps(solved["one"], solved["none"], solved["after"], "plain"))
        interval, count = bootstrap_overlap(hands, name_overlap("plain", "solved by max_ood only"), **SETTINGS)
        draws = np.random.default_rng(3).multinomial(20, [1 / 20] * 20, size=500)
        assert [interval.low, interval.high] == pytest.approx(np.quantile(draws[:, ::2].sum(axis=1) / 20, [0.05, 0.95]))
        assert count == 20
