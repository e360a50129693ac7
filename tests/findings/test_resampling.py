import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from card24_pipeline.evaluation.statistics import Interval
from card24_pipeline.findings.resampling import Bootstrap, Least, Resampled, take_sample

SETTINGS = {"resamples": 400, "confidence": 0.95, "seed": 7}


def bootstrap_over_multisets(hands, values, **settings):
    bootstrap = Bootstrap(**settings)
    sample = take_sample(hands.assign(seed=0), values, "multiset")
    return [mean.interval(bootstrap.confidence) for mean in bootstrap.average(sample, shared=True)]


@pytest.fixture
def hands():
    generator = np.random.default_rng(0)
    count = 60
    frame = pd.DataFrame({"multiset": [f"m{index // 3}" for index in range(count)]})
    frame["left"] = generator.integers(0, 2, count).astype(float)
    frame["right"] = generator.integers(0, 2, count).astype(float)
    return frame


class TestBootstrap:
    def test_estimate_is_the_mean_over_rows_within_its_interval(self, hands):
        uneven = hands.iloc[:-2]
        for name, interval in zip(
            ("left", "right"), bootstrap_over_multisets(uneven, ["left", "right"], **SETTINGS), strict=True
        ):
            assert interval.estimate == pytest.approx(uneven[name].mean())
            assert interval.low < interval.estimate < interval.high

    def test_rows_of_a_multiset_move_together(self, hands):
        (once,) = bootstrap_over_multisets(hands, ["left"], **SETTINGS)
        (twice,) = bootstrap_over_multisets(pd.concat([hands, hands]), ["left"], **SETTINGS)
        assert (twice.estimate, twice.low, twice.high) == pytest.approx((once.estimate, once.low, once.high))

    def test_copies_that_counted_as_hands_of_their_own_would_narrow_it(self, hands):
        copies = pd.concat([hands.assign(multiset=hands["multiset"] + f"_{copy}") for copy in range(4)])
        (once,), (wrong,) = (bootstrap_over_multisets(frame, ["left"], **SETTINGS) for frame in (hands, copies))
        assert wrong.high - wrong.low < 0.7 * (once.high - once.low)

    def test_columns_share_their_draws(self, hands):
        paired = hands.assign(shifted=hands["left"] + 0.25, difference=0.25)
        left, shifted, difference = bootstrap_over_multisets(paired, ["left", "shifted", "difference"], **SETTINGS)
        assert (shifted.low, shifted.high) == pytest.approx((left.low + 0.25, left.high + 0.25))
        assert (difference.low, difference.high) == pytest.approx((0.25, 0.25))

    def test_order_of_rows_does_not_matter_and_the_seed_does(self, hands):
        (first,) = bootstrap_over_multisets(hands, ["left"], **SETTINGS)
        (shuffled,) = bootstrap_over_multisets(hands.sample(frac=1, random_state=1), ["left"], **SETTINGS)
        (other,) = bootstrap_over_multisets(hands, ["left"], **{**SETTINGS, "seed": 8})
        assert first == shuffled
        assert first != other

    def test_hands_that_agree_leave_no_width(self, hands):
        (interval,) = bootstrap_over_multisets(hands.assign(left=1.0), ["left"], **SETTINGS)
        assert interval == Interval(1.0, 1.0, 1.0)

    def test_spread_is_that_of_the_cluster_means(self):
        generator = np.random.default_rng(3)
        means = generator.random(400)
        frame = pd.DataFrame({"multiset": np.repeat(np.arange(400), 2), "value": np.repeat(means, 2)})
        (interval,) = bootstrap_over_multisets(frame, ["value"], resamples=4000, confidence=0.95, seed=0)
        expected = 2 * 1.959964 * means.std() / np.sqrt(400)
        assert interval.high - interval.low == pytest.approx(expected, rel=0.06)

    def test_intervals_cover_the_truth_about_as_often_as_they_claim(self):
        generator = np.random.default_rng(5)
        multisets, orders, trials, covered = 50, 3, 150, 0
        for trial in range(trials):
            skill = np.repeat(generator.beta(1, 1, multisets), orders)
            frame = pd.DataFrame({"multiset": np.repeat(np.arange(multisets), orders)})
            frame["passed"] = (generator.random(multisets * orders) < skill).astype(float)
            (interval,) = bootstrap_over_multisets(frame, ["passed"], resamples=200, confidence=0.9, seed=trial)
            covered += interval.low <= 0.5 <= interval.high
        assert 0.83 <= covered / trials <= 0.96

    def test_no_hands_are_refused(self, hands):
        with pytest.raises(ValueError, match="no rows"):
            bootstrap_over_multisets(hands.iloc[:0], ["left"], **SETTINGS)


class TestPValue:
    def test_counts_the_smaller_side_twice_and_is_never_zero(self):
        draws = np.array([-0.5, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
        drawn = Resampled(0.5, np.array([0.5]), draws, 30)
        assert drawn.p_value(0.0) == pytest.approx(2 * (1 + 1) / 10)
        assert drawn.p_value(-1.0) == pytest.approx(2 * 1 / 10)
        assert drawn.p_value(0.4) == 1.0

    def test_agrees_with_the_interval_on_both_sides_of_its_level(self, hands):
        share = divide(Bootstrap(4000, 1, 0.95), hands.assign(seed=0, whole=1.0), "left", "whole")
        interval = share.interval(0.95)
        assert share.p_value(interval.low - 0.01) < 0.05 < share.p_value(interval.low + 0.01)
        assert share.p_value(interval.high + 0.01) < 0.05 < share.p_value(interval.high - 0.01)


def divide(bootstrap, hands, part, whole):
    parts, wholes = (take_sample(hands, [name], "multiset") for name in (part, whole))
    return bootstrap.divide(parts, wholes, shared=True)


def take_share(hands, resamples=500, confidence=0.9):
    found = divide(Bootstrap(resamples, 3, confidence), hands.assign(seed=0), "gain", "loss")
    return found and found.interval(confidence)


class TestShare:
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
        share = take_share(hands)
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
        assert take_share(hands) is None

    def test_a_rise_is_no_loss(self, hands):
        hands["loss"] = -1.0
        assert take_share(hands) is None

    def test_draws_without_a_loss_lie_beyond_all_bounds(self):
        # The six multisets that hold the loss are missed by 0.5 ** 12 of all draws: one of these 4000.
        hands = pd.DataFrame({"multiset": list("abcd"), "gain": [0.0, 0.0, 1.0, 1.0], "loss": [1.0, 1.0, 0.0, 0.0]})
        hands = pd.concat([hands.assign(multiset=hands["multiset"] + suffix) for suffix in "xyz"])
        draws = np.random.default_rng(3).multinomial(12, [1 / 12] * 12, size=4000)
        lost = draws[:, [0, 1, 2, 3, 4, 5]].sum(axis=1)
        assert 0 < (lost == 0).sum() < 4000 * 0.0005
        share = take_share(hands, resamples=4000, confidence=0.999)
        assert share.estimate == 1.0
        assert math.isfinite(share.low)
        assert share.high > 10


def make_replicates(values, multisets=20, wave=0.0):
    """Replicates that score one hand of each multiset: their mean, and a wave over the multisets that all share."""
    shared = wave * np.where(np.arange(multisets) % 2, 1.0, -1.0)
    frames = [
        pd.DataFrame(
            {"seed": seed, "multiset": [f"m{number:02}" for number in range(multisets)], "gain": mean + shared}
        )
        for seed, mean in enumerate(values)
    ]
    return pd.concat(frames, ignore_index=True)


def average(hands, confidence=0.95, shared=True):
    (mean,) = Bootstrap(4000, 1, confidence).average(take_sample(hands, ["gain"], "multiset"), shared=shared)
    return mean


T_OF_2, T_OF_19 = 4.30265273, 2.09302405  # Student's t at 97.5 %, from tables


class TestReplicates:
    def test_three_replicates_that_agree_on_hands(self):
        mean = average(make_replicates([0.1, 0.2, 0.6]))
        # s² = (0.04 + 0.01 + 0.09) / 2 = 0.07, so the standard error is (0.07 / 3) ** 0.5; hands add nothing.
        se = math.sqrt(0.07 / 3)
        assert (mean.estimate, mean.se_replicates) == pytest.approx((0.3, se))
        assert mean.se_hands == pytest.approx(0, abs=1e-12)
        interval = mean.interval(0.95)
        assert (interval.low, interval.high) == pytest.approx((0.3 - T_OF_2 * se, 0.3 + T_OF_2 * se))

    def test_p_value_is_that_of_the_same_t(self):
        mean = average(make_replicates([0.1, 0.2, 0.6]))
        assert mean.p_value(mean.interval(0.95).low) == pytest.approx(0.05)
        assert mean.p_value(mean.interval(0.8).high) == pytest.approx(0.2)
        # With 2 degrees of freedom, P(|T| > t) = 1 − t / (t² + 2) ** 0.5.
        t = 0.3 / math.sqrt(0.07 / 3)
        assert mean.p_value(0.0) == pytest.approx(1 - t / math.sqrt(t * t + 2))

    def test_spread_between_hands_is_added_to_that_between_replicates(self):
        mean = average(make_replicates([0.1, 0.3], wave=0.5))
        # Of 20 multisets at ±0.5, the mean of a draw has a standard error of 0.5 / 20 ** 0.5.
        assert mean.se_replicates == pytest.approx(0.1)
        assert mean.se_hands == pytest.approx(0.5 / math.sqrt(20), rel=0.03)
        # Cochran & Cox: quantiles of 1 and 19 degrees of freedom (12.706 and 2.093), in the proportion of 0.01 to h².
        hands = mean.se_hands**2
        quantile = (0.01 * 12.7062 + hands * T_OF_19) / (0.01 + hands)
        interval = mean.interval(0.95)
        assert interval.high - 0.2 == pytest.approx(quantile * math.hypot(0.1, mean.se_hands), rel=1e-5)
        assert mean.p_value(interval.low) == pytest.approx(0.05)
        assert mean.p_value(interval.high) == pytest.approx(0.05)
        assert mean.p_value(0.2) == pytest.approx(1.0)

    def test_replicates_that_agree_leave_the_degrees_of_freedom_to_the_hands(self):
        mean = average(make_replicates([0.2, 0.2, 0.2], wave=0.5))
        assert mean.interval(0.95).high - 0.2 == pytest.approx(T_OF_19 * mean.se_hands)

    def test_more_replicates_do_not_shrink_the_spread_between_hands(self):
        few, many = (average(make_replicates([0.2] * count, wave=0.5)) for count in (2, 10))
        assert many.se_hands == pytest.approx(few.se_hands)

    def test_matrices_are_no_sample_where_there_are_several_replicates(self):
        own = average(make_replicates([0.1, 0.2, 0.6], wave=0.5), shared=False)
        assert math.isnan(own.se_hands)
        assert own.interval(0.95).high == pytest.approx(0.3 + T_OF_2 * math.sqrt(0.07 / 3))

    def test_one_replicate_has_the_draws_alone(self):
        mean = average(make_replicates([0.2], wave=0.5), shared=False)
        assert math.isnan(mean.se_replicates)
        interval = mean.interval(0.95)
        assert (interval.low, interval.high) == tuple(np.quantile(mean.draws, [0.025, 0.975]))

    def test_no_spread_at_all(self):
        mean = average(make_replicates([0.5, 0.5]), shared=False)
        assert (mean.p_value(0.5), mean.p_value(0.0)) == (1, 0)

    def test_a_share_is_a_ratio_of_means_with_the_jackknife_s_spread(self):
        hands = make_replicates([0.1, 0.2, 0.3]).merge(
            make_replicates([0.5, 0.6, 0.4]).rename(columns={"gain": "loss"}), on=["seed", "multiset"]
        )
        share = divide(Bootstrap(500, 1, 0.95), hands, "gain", "loss")
        without = np.array([0.5 / 1.0, 0.4 / 0.9, 0.3 / 1.1])
        assert share.estimate == pytest.approx(0.6 / 1.5)
        assert share.se_replicates == pytest.approx(math.sqrt(2 / 3 * ((without - without.mean()) ** 2).sum()))
        assert share.se_hands == pytest.approx(0, abs=1e-12)

    def test_spread_of_a_share_between_hands_is_that_of_its_linear_part(self):
        hands = pd.concat([make_replicates([0.5], 400, wave=0.4).assign(seed=seed, loss=1.0) for seed in (0, 1, 2)])
        hands["loss"] += 0.2 * np.where(hands.groupby("seed").cumcount() % 4 < 2, 1.0, -1.0)
        share = divide(Bootstrap(4000, 1, 0.95), hands, "gain", "loss")
        # part − 0.5 × whole is ±0.4 ± 0.1 in all four ways: its variance is 0.16 + 0.01.
        assert share.se_hands == pytest.approx(math.sqrt(0.17 / 400), rel=0.05)

    def test_a_loss_that_replicates_do_not_agree_on_has_no_share(self):
        hands = make_replicates([0.1, 0.1, 0.1]).assign(loss=lambda rows: rows["seed"].map({0: 0.1, 1: 0.5, 2: 0.9}))
        assert divide(Bootstrap(500, 1, 0.95), hands, "gain", "loss") is None


def make_mean(estimate, se, replicates=3):
    """Three replicates around an estimate with a standard error; hands add nothing."""
    values = estimate + se * math.sqrt(replicates) * np.array([-1.0, 0.0, 1.0])
    return Resampled(estimate, values, np.empty(0), 1)


class TestLeast:
    BOUNDS = (make_mean(0.4, 0.1), make_mean(0.3, 0.02))

    def test_it_is_the_lesser_mean_between_the_least_bounds(self):
        found = Least(self.BOUNDS).describe(0.95, 0.0)
        assert (found["estimate"], found["se_replicates"]) == pytest.approx((0.3, 0.02))
        # The first reaches lower; above, each has half of the 5 %.
        assert found["low"] == pytest.approx(0.4 - T_OF_2 * 0.1)
        assert found["high"] == pytest.approx(0.3 + stats.t(2).ppf(0.9875) * 0.02)

    def test_above_a_bound_all_must_lie_and_below_it_any_may(self):
        above = Least(self.BOUNDS).describe(0.95, 0.0)
        assert above["p_value"] == pytest.approx(self.BOUNDS[0].p_value(0.0))
        below = Least(self.BOUNDS).describe(0.95, 0.5)
        assert below["p_value"] == pytest.approx(2 * self.BOUNDS[1].p_value(0.5))

    def test_p_value_agrees_with_the_interval(self):
        found = Least(self.BOUNDS).describe(0.95, 0.0)
        for bound in (found["low"], found["high"]):
            assert Least(self.BOUNDS).describe(0.95, bound)["p_value"] == pytest.approx(0.05)

    def test_it_covers_the_least_of_equals(self):
        generator = np.random.default_rng(2)
        covered = 0
        for _ in range(400):
            several = [Resampled(one.mean(), one, np.empty(0), 1) for one in generator.normal(size=(2, 3))]
            found = Least(several).describe(0.9, 0.0)
            covered += found["low"] <= 0 <= found["high"]
        assert covered / 400 >= 0.88
