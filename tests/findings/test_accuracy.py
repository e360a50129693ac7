import math

import pandas as pd
import pytest

from card24_pipeline.findings.accuracy import DIFFERENCE, GAIN_DIFFERENCE, LEVEL, RECOVERED, SOLVED
from card24_pipeline.findings.resampling import Bootstrap, take_sample

HALF = "main/uv_top donor=max_ood top_fraction=0.2"


@pytest.fixture
def find(findings):
    def find(quantity, subject, reference="", split="ood", **where):
        return findings.find(quantity, subject, reference, split=split, **where)

    return find


def test_no_quantity_has_two_estimates(findings):
    key = ["quantity", "subject", "reference", "split", "hands", "change_model", "scope"]
    assert not findings.estimates.duplicated(key).any()


def test_levels_are_shares_of_the_hands_of_a_split(find):
    for split, level in zip(("id_seen", "id_heldout", "ood_select", "ood"), (0.9, 0.3, 0.5, 0.5), strict=True):
        assert find(LEVEL, HALF, split=split)["estimate"] == pytest.approx(level)
    assert find(LEVEL, "main/max_ood", split="published_ood")["estimate"] == pytest.approx(0.8)
    assert find(LEVEL, HALF, split="published_ood") is None


@pytest.mark.parametrize(
    ("quantity", "subject", "reference", "estimate"),
    [
        (DIFFERENCE, "main/max_ood", "base", 0.2),
        (DIFFERENCE, "main/max_ood", "main/end", 0.6),
        (DIFFERENCE, "base", "main/end", 0.4),
        (DIFFERENCE, "plain/from max_ood", "main/max_ood", -0.1),
        (DIFFERENCE, "plain/from end", "main/end", 0.1),
        (DIFFERENCE, "plain/from end", "main/max_ood", -0.5),
        (DIFFERENCE, "plain/from max_ood", "plain/from end", 0.4),
        (DIFFERENCE, "plain/from rung_1", "plain/from end", 0.2),
        (DIFFERENCE, "plain/from max_ood", "plain/from rung_1", 0.2),
        (DIFFERENCE, "anchored/from end", "plain/from end", 0.1),
        (GAIN_DIFFERENCE, "plain/from max_ood", "plain/from end", -0.2),
        (GAIN_DIFFERENCE, "plain/from rung_1", "plain/from end", -0.1),
        (DIFFERENCE, HALF, "main/end", 0.3),
        (RECOVERED, HALF, "main/max_ood", 0.5),
        (RECOVERED, "main/uv_top donor=base top_fraction=0.2", "base", 0.25),
        (RECOVERED, "plain/from end", "main/max_ood", 1 / 6),
        (RECOVERED, "anchored/from end", "main/max_ood", 1 / 3),
        (SOLVED, "plain/from end", "lost", 1 / 6),
        (SOLVED, "plain/from end", "solved by both", 1.0),
        (SOLVED, "plain/from end", "solved by neither", 0.0),
    ],
)
def test_ood_estimates_are_those_worked_out_by_hand(find, quantity, subject, reference, estimate):
    for scope in ("all replicates", "replicate 0", "replicate 1"):
        assert find(quantity, subject, reference, scope=scope)["estimate"] == pytest.approx(estimate, abs=1e-12)


def test_shares_of_hands_count_these_hands(find):
    row = find(SOLVED, "plain/from end", "lost")
    assert row["rows"] == 4 * 2 * 12  # seeds, orders, multisets that MaxOOD solves and End does not
    assert find(SOLVED, "plain/from end", "solved by End only") is None


def test_interval_of_replicates_that_agree_is_t_on_the_spread_between_hands(find):
    row = find(DIFFERENCE, HALF, "main/end")
    # Of 20 multisets 6 gain a point; replicates are alike.
    assert row["se_replicates"] == pytest.approx(0, abs=1e-12)
    assert row["se_hands"] == pytest.approx((0.3 * 0.7 / 20) ** 0.5, rel=0.15)
    # Student's t at 97.5 % with 19 degrees of freedom, those of the hands, is 2.09302405.
    assert row["high"] - 0.3 == pytest.approx(2.09302405 * row["se_hands"])
    assert 0.3 - row["low"] == pytest.approx(2.09302405 * row["se_hands"])
    assert (row["clusters"], row["seeds"], row["rows"]) == (20, 4, 160)


def test_spread_between_bases_is_that_of_their_own_values(study):
    study.seeds, levels = (0, 1, 2), (0.2, 0.5, 0.8)
    study.vary = lambda passes, seed: (*passes[:3], levels[seed]) if passes is study.passes["end"] else passes
    row = study.find().find(LEVEL, "main/end", split="ood")
    assert (row["estimate"], row["se_replicates"]) == pytest.approx((0.5, 0.3 / 3**0.5))
    assert row["se_hands"] > 0
    assert (row["low"], row["high"]) == (0, 1)  # a level is a share, and 0.5 ± 0.7 would leave it


def test_one_seed_has_the_bootstrap_of_paired_differences_over_multisets(find, study):
    tables = study.tables()
    after = tables.edit_hand_scores[tables.edit_hand_scores["variant"] == HALF.partition("/")[2]].query(
        "split == 'ood' and seed == 0"
    )
    before = tables.sft_hand_scores.query("split == 'ood' and step == 40 and seed == 0 and sft_arm == 'main'")
    paired = after.merge(before, on=["seed", "hand", "multiset"])
    paired["gain"] = paired["passed_x"].astype(float) - paired["passed_y"]
    sample = take_sample(paired, ["gain"], "multiset")
    (expected,) = Bootstrap(200, 1, 0.95).average(sample, shared=True)
    row, interval = find(DIFFERENCE, HALF, "main/end", scope="replicate 0"), expected.interval(0.95)
    assert (row["low"], row["high"]) == (interval.low, interval.high)
    assert row["p_value"] == expected.p_value(0.0)
    assert interval.low < 0.3 < interval.high
    assert math.isnan(row["se_replicates"])
    assert (row["clusters"], row["seeds"], row["rows"]) == (20, 1, 40)


def test_a_study_of_one_seed_is_conditional_on_its_base(study, findings):
    study.seeds = (0,)
    single = study.find()
    assert (single.conditional, findings.conditional) == (True, False)
    pooled, alone = (
        single.find(DIFFERENCE, HALF, "main/end", split="ood", scope=s) for s in ("all replicates", "replicate 0")
    )
    assert (pooled["low"], pooled["high"], pooled["seeds"]) == (alone["low"], alone["high"], 1)


def test_a_given_base_is_one_and_stands_for_every_seed(study, findings):
    study.is_shared = True
    found = study.find()
    assert found.conditional
    level, change = found.find(LEVEL, "base", split="ood"), found.find(DIFFERENCE, "main/max_ood", "base", split="ood")
    assert (level["estimate"], level["seeds"], level["rows"]) == (pytest.approx(0.6), 1, 40)
    assert math.isnan(level["se_replicates"])
    assert (change["estimate"], change["seeds"]) == (pytest.approx(0.2), 4)
    own = findings.find(LEVEL, "base", split="ood")
    assert own["seeds"] == 4


def test_each_seed_is_held_against_its_own_base(study):
    levels = (0.6, 0.4, 0.2, 0.0)
    study.vary = lambda passes, seed: (*passes[:3], levels[seed]) if passes is study.passes["base"] else passes
    found = study.find()
    changes = [found.find(DIFFERENCE, "main/end", "base", split="ood", scope=f"replicate {seed}") for seed in range(4)]
    assert [row["estimate"] for row in changes] == pytest.approx([-0.4, -0.2, 0.0, 0.2])


def test_arms_compare_at_the_end_and_at_equal_id(find):
    assert find(DIFFERENCE, "tuned/id_70", "main/id_70")["estimate"] == pytest.approx(0.25)
    assert find(DIFFERENCE, "tuned_annealed/end", "tuned/end")["estimate"] == pytest.approx(0.05)
    assert find(DIFFERENCE, "main/end", "tuned/end") is None


def test_a_seed_that_never_reaches_a_level_leaves_the_others(study):
    selected = study.selected().query("not (seed == 1 and sft_arm == 'tuned' and role == 'id_70')")
    found = study.find(selected_checkpoints=selected)
    assert found.find(LEVEL, "tuned/id_70", split="ood")["seeds"] == 3
    assert found.find(LEVEL, "main/id_70", split="ood")["seeds"] == 4
    assert found.find(DIFFERENCE, "tuned/id_70", "main/id_70", split="ood")["seeds"] == 3


def test_groups_divide_the_multisets_by_what_the_base_had_met(find):
    met, never = (find(RECOVERED, HALF, "main/max_ood", hands=hands) for hands in ("met", "never_met"))
    assert met["estimate"] == never["estimate"] == pytest.approx(3 / 6)
    assert met["clusters"] == never["clusters"] == 10


def test_bounds_were_fixed_for_each_quantity(find):
    assert find(DIFFERENCE, "main/max_ood", "main/end")["bound"] == 0
    assert find(DIFFERENCE, "main/max_ood", "main/end", split="id_seen")["bound"] == -0.01
    assert find(RECOVERED, HALF, "main/max_ood")["bound"] == 0.7


def test_no_share_of_a_loss_that_is_in_doubt(study):
    study.passes["base"] = (0.1, 0.1, 0.2, 0.2)
    findings = study.find()
    assert findings.find(RECOVERED, "main/uv_top donor=base top_fraction=0.2", "base", split="ood") is None
    assert findings.recovered("main/uv_top donor=base top_fraction=0.2", "base").note.startswith("not given")
    assert findings.find(RECOVERED, HALF, "main/max_ood", split="ood")["estimate"] == pytest.approx(0.5)


def test_steps_with_two_roles_differ_in_nothing(study):
    same = study.selected().query("role != 'rung_1'").assign(step=40)
    estimates = study.find(selected_checkpoints=same)
    assert estimates.find(GAIN_DIFFERENCE, "plain/from max_ood", "plain/from end", split="ood")["estimate"] == 0
    assert estimates.find(RECOVERED, "plain/from end", "main/max_ood", split="ood") is None


def test_seeds_are_averaged_and_rl_of_one_seed_is_of_that_seed(study):
    hands = study.rl_hands().query("rl_arm != 'plain' or seed == 0")
    history = study.history().query("rl_arm != 'plain' or seed == 0")
    findings = study.find(rl_hand_scores=hands, rl_history=history)
    row = findings.find(LEVEL, "plain/from end", split="ood")
    assert (row["estimate"], row["seeds"]) == (pytest.approx(0.3), 1)
    assert findings.find(LEVEL, "anchored/from end", split="ood")["seeds"] == 4


def test_order_of_rows_does_not_matter(study):
    estimates = study.estimate()[1]
    shuffled = study.estimate(sft_hand_scores=study.sft_hands().sample(frac=1, random_state=0))[1]
    key = ["quantity", "subject", "reference", "split", "hands", "scope", "change_model"]
    left, right = (table.sort_values(key, ignore_index=True) for table in (estimates, shuffled))
    pd.testing.assert_frame_equal(left, right)


def test_a_share_of_hands_of_one_multiset_has_no_bounds(study):
    study.passes["end"] = (0.90, 0.30, 0.20, 0.05)
    row = study.find().find(SOLVED, "plain/from end", "solved by both", split="ood")
    assert row["estimate"] == 1.0
    assert math.isnan(row["low"])
