import math

import pytest

from card24_pipeline.reporting.resampling import bootstrap_over_multisets
from card24_pipeline.reporting.rl_contrasts import ARMS, list_contrasts, sort_roles
from card24_pipeline.reporting.rl_shares import list_shares


def read(contrasts, name, *, split="ood", met="all", scope="all seeds"):
    chosen = contrasts[
        (contrasts["contrast"] == name)
        & (contrasts["split"] == split)
        & (contrasts["base_met_multiset"] == met)
        & (contrasts["scope"] == scope)
    ]
    (row,) = chosen.to_dict("records")
    return row


@pytest.fixture
def contrasts(rl_builder, ladder_hands, ladder, rl_hands):
    return rl_builder.contrast_models(ladder_hands, ladder, rl_hands)


def test_roles_are_sorted_down_the_ladder():
    assert sort_roles(["end", "rung_10", "max_ood", "rung_2", "end"]) == ["max_ood", "rung_2", "rung_10", "end"]


def test_no_two_contrasts_have_one_name():
    names = [contrast.name for contrast in list_contrasts(["max_ood", "rung_1", "rung_2", "end"])]
    assert len(names) == len(set(names))


class TestContrastModels:
    def test_ood_differences_are_those_worked_out_by_hand(self, contrasts):
        for scope, seeds in (("all seeds", 2), ("seed 0", 1), ("seed 1", 1)):
            chosen = contrasts[contrasts["scope"] == scope].query("split == 'ood' and base_met_multiset == 'all'")
            assert set(chosen["multisets"]) == {4}
            assert set(chosen["seeds"]) == {seeds}
            differences = chosen[~chosen["contrast"].isin(list_shares(ARMS))]
            assert differences.set_index("contrast")["difference"].to_dict() == {
                "before: max_ood - end": 1.0,
                "before: rung_1 - end": 0.75,
                "plain: after - before from max_ood": -0.25,
                "plain: after - before from rung_1": 0.0,
                "plain: after - before from end": 0.5,
                "plain: after from end - before max_ood": -0.5,
                "plain: gain from max_ood - gain from end": -0.75,
                "plain: gain from rung_1 - gain from end": -0.5,
                "plain: after from max_ood - after from end": 0.25,
                "plain: after from rung_1 - after from end": 0.25,
                "plain: after from max_ood - after from rung_1": 0.0,
                "anchored: after - before from end": 0.75,
                "anchored: after from end - before max_ood": -0.25,
                "anchored - plain: after from end": 0.25,
            }

    def test_every_group_has_every_contrast(self, contrasts):
        splits, acquaintances, scopes = 3, 3, 3
        assert len(contrasts) == contrasts["contrast"].nunique() * splits * acquaintances * scopes

    def test_acquaintance_divides_the_multisets(self, contrasts):
        name = "plain: after - before from end"
        assert read(contrasts, name, met="met")["difference"] == pytest.approx(2 / 3)
        assert read(contrasts, name, met="never_met")["difference"] == 0.0
        assert read(contrasts, name, met="met")["multisets"] == 3

    def test_interval_is_the_bootstrap_of_paired_differences_over_multisets(self, contrasts, rl_hands, ladder_hands):
        after = rl_hands["plain"].query("split == 'ood' and from_step == 40")
        before = ladder_hands.query("split == 'ood' and step == 40")
        paired = after.merge(before, on=["seed", "hand", "multiset"])
        paired["gain"] = paired["passed_x"].astype(float) - paired["passed_y"]
        (expected,) = bootstrap_over_multisets(paired, ["gain"], resamples=300, confidence=0.95, seed=1)
        row = read(contrasts, "plain: after - before from end")
        assert (row["low"], row["high"]) == (expected.low, expected.high)
        assert expected.low < 0.5 < expected.high

    def test_more_seeds_of_the_same_hands_narrow_nothing(self, contrasts):
        name = "plain: after - before from end"
        pooled, single = (read(contrasts, name, scope=scope) for scope in ("all seeds", "seed 0"))
        assert (pooled["low"], pooled["high"]) == (single["low"], single["high"])

    def test_what_all_hands_share_has_no_width(self, contrasts):
        row = read(contrasts, "before: max_ood - end")
        assert row["low"] == row["high"] == 1.0

    def test_seeds_are_averaged(self, rl_builder, ladder_hands, ladder, rl_hands):
        plain = rl_hands["plain"]
        plain.loc[(plain["seed"] == 1) & (plain["from_step"] == 40), "passed"] = False
        found = rl_builder.contrast_models(ladder_hands, ladder, rl_hands)
        gains = [
            read(found, "plain: after - before from end", scope=scope) for scope in ("seed 0", "seed 1", "all seeds")
        ]
        assert [row["difference"] for row in gains] == [0.5, 0.0, 0.25]

    def test_each_seed_starts_from_its_own_steps(self, rl_builder, ladder_hands, ladder, rl_hands):
        own = ladder.copy()
        own.loc[(own["seed"] == 1) & (own["role"] == "max_ood"), "step"] = 20
        found = rl_builder.contrast_models(ladder_hands, own, rl_hands)
        for scope, loss in (("seed 0", 1.0), ("seed 1", 0.75), ("all seeds", 0.875)):
            assert read(found, "before: max_ood - end", scope=scope)["difference"] == loss

    def test_order_of_rows_does_not_matter(self, contrasts, rl_builder, ladder_hands, ladder, rl_hands):
        shuffled = {arm: hands.sample(frac=1, random_state=0) for arm, hands in rl_hands.items()}
        assert rl_builder.contrast_models(ladder_hands.iloc[::-1], ladder, shuffled).equals(contrasts)

    def test_a_seed_without_a_rung_leaves_the_others(self, rl_builder, ladder_hands, ladder, rl_hands):
        shorter = ladder[(ladder["seed"] == 0) | (ladder["role"] != "rung_1")]
        found = rl_builder.contrast_models(ladder_hands, shorter, rl_hands)
        assert read(found, "plain: after - before from rung_1")["seeds"] == 1
        assert read(found, "plain: after - before from end")["seeds"] == 2
        assert not ((found["scope"] == "seed 1") & found["contrast"].str.contains("rung")).any()

    def test_steps_with_two_roles_differ_in_nothing(self, rl_builder, ladder_hands, ladder, rl_hands):
        same = ladder[ladder["role"] != "rung_1"].assign(step=40)
        found = rl_builder.contrast_models(ladder_hands, same, rl_hands)
        assert read(found, "plain: gain from max_ood - gain from end")["difference"] == 0.0
        assert read(found, "anchored - plain: after from max_ood")["difference"] == 0.25
        assert math.isnan(read(found, "plain: gain from end as a share of the loss from max_ood to end")["difference"])

    def test_no_anchored_run_at_all(self, rl_builder, ladder_hands, ladder, rl_hands):
        found = rl_builder.contrast_models(
            ladder_hands, ladder, {**rl_hands, "anchored": rl_hands["anchored"].iloc[:0]}
        )
        assert not found["contrast"].str.startswith("anchored").any()
        assert read(found, "plain: after - before from end")["difference"] == 0.5

    def test_hands_that_were_not_scored_are_refused(self, rl_builder, ladder_hands, ladder, rl_hands):
        rl_hands["plain"] = rl_hands["plain"].query("seed != 1 or from_step != 40 or split != 'ood' or hand > 1")
        with pytest.raises(ValueError, match="seed 1: 'plain end' was scored on 92% of the hands of others"):
            rl_builder.contrast_models(ladder_hands, ladder, rl_hands)


class TestShares:
    gain = "gain from end as a share of the loss from max_ood to end"

    def find_overlaps(self, contrasts, arm, **where):
        return {
            group: (row["difference"], row["hands"])
            for group in ("max_ood only", "neither", "both", "end only")
            for row in [
                read(contrasts, f"{arm}: share solved after from end, of hands solved by {group} before", **where)
            ]
        }

    def test_gain_as_a_share_of_the_loss(self, contrasts):
        assert read(contrasts, f"plain: {self.gain}")["difference"] == 0.5
        assert read(contrasts, f"anchored: {self.gain}")["difference"] == 0.75

    def test_it_rests_on_the_seeds_that_have_the_run(self, rl_builder, ladder_hands, ladder, rl_hands):
        # Seed 1 lost half as much; were its loss counted without its gain, the share would be 0.75 / 1.5.
        ladder_hands.loc[
            (ladder_hands["seed"] == 1) & (ladder_hands["step"] == 10) & (ladder_hands["hand"] > 3), "passed"
        ] = False
        rl_hands["anchored"] = rl_hands["anchored"].query("seed == 0")
        found = rl_builder.contrast_models(ladder_hands, ladder, rl_hands)
        row = read(found, f"anchored: {self.gain}")
        assert (row["difference"], row["seeds"]) == (0.75, 1)
        assert read(found, f"plain: {self.gain}")["difference"] == pytest.approx(1.0 / 1.5)
        assert not ((found["scope"] == "seed 1") & found["contrast"].str.startswith("anchored")).any()
        assert self.find_overlaps(found, "anchored")["max_ood only"] == (0.75, 8)

    def test_overlaps_are_those_worked_out_by_hand(self, rl_builder, ladder_hands, ladder, rl_hands):
        def solve(table, step, hands):
            column = "step" if "step" in table else "from_step"
            ood = (table["split"] == "ood") & (table[column] == step)
            table.loc[ood, "passed"] = table.loc[ood, "hand"].isin(hands)

        solve(ladder_hands, 10, [0, 1, 2, 3, 4])
        solve(ladder_hands, 40, [3, 4, 5])
        solve(rl_hands["plain"], 40, [0, 3, 5, 6])
        found = rl_builder.contrast_models(ladder_hands, ladder, rl_hands)
        one_seed = {"max_ood only": (1 / 3, 3), "neither": (1 / 2, 2), "both": (1 / 2, 2), "end only": (1.0, 1)}
        assert self.find_overlaps(found, "plain", scope="seed 0") == one_seed
        pooled = self.find_overlaps(found, "plain")
        assert pooled == {group: (share, 2 * hands) for group, (share, hands) in one_seed.items()}
        # A net gain of one hand out of a loss of two, though only one of the three lost hands is solved again.
        assert read(found, "plain: after - before from end")["difference"] == 1 / 8
        assert read(found, "before: max_ood - end")["difference"] == 2 / 8

    def test_hands_that_there_are_none_of_have_no_share(self, contrasts):
        shares = self.find_overlaps(contrasts, "plain")
        assert shares["max_ood only"] == (0.5, 16)
        assert math.isnan(shares["both"][0])
        assert shares["both"][1] == 0


class TestTraceGains:
    def test_before_and_after_by_the_step_that_rl_started_from(self, rl_builder, ladder_hands, rl_hands):
        gains = rl_builder.trace_gains(ladder_hands, rl_hands).query("split == 'ood'")
        assert gains[["arm", "from_step", "before", "after", "difference", "seeds"]].values.tolist() == [
            ["plain", 10, 1.0, 0.75, -0.25, 2],
            ["plain", 20, 0.75, 0.75, 0.0, 2],
            ["plain", 40, 0.0, 0.5, 0.5, 2],
            ["anchored", 40, 0.0, 0.75, 0.75, 2],
        ]

    def test_interval_is_that_of_the_contrast(self, contrasts, rl_builder, ladder_hands, rl_hands):
        gains = rl_builder.trace_gains(ladder_hands, rl_hands)
        (row,) = gains.query("split == 'ood' and arm == 'plain' and from_step == 40").to_dict("records")
        contrast = read(contrasts, "plain: after - before from end")
        assert (row["low"], row["high"]) == (contrast["low"], contrast["high"])
