import math

import pandas as pd
import pytest

from card24_pipeline.findings.accuracy import DIFFERENCE, GAIN_DIFFERENCE, LEVEL, RECOVERED, SOLVED
from card24_pipeline.findings.resampling import Bootstrap

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
    for scope in ("all seeds", "seed 0", "seed 1"):
        assert find(quantity, subject, reference, scope=scope)["estimate"] == pytest.approx(estimate, abs=1e-12)


def test_shares_of_hands_count_these_hands(find):
    row = find(SOLVED, "plain/from end", "lost")
    assert row["rows"] == 2 * 2 * 12  # seeds, orders, multisets that MaxOOD solves and End does not
    assert find(SOLVED, "plain/from end", "solved by End only") is None


def test_interval_is_the_bootstrap_of_paired_differences_over_multisets(find, study):
    tables = study.tables()
    after = tables.edit_hand_scores[tables.edit_hand_scores["variant"] == HALF.partition("/")[2]].query(
        "split == 'ood'"
    )
    paired = after.merge(tables.sft_hand_scores.query("split == 'ood' and step == 40"), on=["seed", "hand", "multiset"])
    paired["gain"] = paired["passed_x"].astype(float) - paired["passed_y"]
    (expected,) = Bootstrap(200, 1, 0.95).resample_means(paired, ["gain"], "multiset")
    row, interval = find(DIFFERENCE, HALF, "main/end"), expected.interval(0.95)
    assert (row["low"], row["high"]) == (interval.low, interval.high)
    assert row["p_value"] == expected.p_value(0.0)
    assert interval.low < 0.3 < interval.high
    assert (row["clusters"], row["seeds"], row["rows"]) == (20, 2, 80)


def test_more_seeds_of_the_same_hands_narrow_nothing(find):
    pooled, single = (find(DIFFERENCE, HALF, "main/end", scope=scope) for scope in ("all seeds", "seed 0"))
    assert (pooled["low"], pooled["high"]) == (single["low"], single["high"])


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
    assert findings.find(LEVEL, "anchored/from end", split="ood")["seeds"] == 2


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
