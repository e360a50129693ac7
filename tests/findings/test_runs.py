import math

import pytest


@pytest.fixture
def run(study):
    def run(**changed):
        return study.estimate(**changed)[2].query("rl_arm == 'plain' and role == 'end' and seed == 0").iloc[0]

    return run


def test_one_row_per_seed_arm_and_role(findings):
    assert len(findings.runs) == 4 * 4
    assert not findings.runs.duplicated(["seed", "rl_arm", "role"]).any()


def test_figures_at_either_end(run):
    row = run()
    assert (row["updates"], row["hands_per_update"], row["counts"]) == (60, 256, True)
    assert row["reward_first"] == pytest.approx(0.125 * 5.5)
    assert row["reward_last"] == pytest.approx(0.125 * 55.5)
    assert row["reward_rise"] == pytest.approx(0.125 * 50)
    assert (row["entropy_first_nats"], row["entropy_last_nats"]) == (1, pytest.approx(1 / 60))
    assert row["kl_start_nats"] == pytest.approx(0.06)
    assert row["explained_variance"] == pytest.approx(0.0555)
    assert math.isnan(row["kl_anchor_nats"])
    assert (row["ood_card_to_number"], row["kl_base_nats"]) == (0.875, 0.0625)


@pytest.mark.parametrize(("updates", "slope"), [(59, 0.125), (60, -0.125)])
def test_a_short_run_or_one_whose_reward_did_not_rise_does_not_count(study, run, updates, slope):
    study.updates, study.slope = updates, slope
    assert not run()["counts"]
    assert not study.find().counts("plain/from end")


def test_too_few_hands_do_not_count(study, run):
    history = study.history()
    assert not run(rl_history=history.assign(hands=history["hands"] // 2))["counts"]
