import pytest

from card24_pipeline.reporting.rl_runs import summarise_runs


def test_every_run_has_its_row(runs):
    assert runs[["seed", "arm", "role", "from_step"]].values.tolist() == [
        *(
            [seed, "plain", role, step]
            for seed in (0, 1)
            for role, step in (("max_ood", 10), ("rung_1", 20), ("end", 40))
        ),
        [0, "anchored", "end", 40],
        [1, "anchored", "end", 40],
    ]


def test_row_tells_how_the_run_went(runs):
    row = runs.iloc[2].to_dict()
    assert (row["updates"], row["hands_per_update"]) == (60, 256)
    assert (row["reward_first"], row["reward_last"]) == (0.125 * 5.5, 0.125 * 55.5)
    assert row["reward_rise"] == 0.125 * 50
    assert (row["entropy_first_nats"], row["entropy_last_nats"]) == (1.0, 1 / 60)
    assert row["kl_start_nats"] == 0.06
    assert row["kl_base_nats"] == 0.0625
    assert row["explained_variance"] == pytest.approx(0.0555)
    assert row["clip_fraction"] == 0.25
    passes = {name: row[name] for name in row if name.endswith(("_before", "_after"))}
    assert passes == {
        "ood_before": 0.0,
        "ood_after": 0.5,
        "id_seen_before": 1.0,
        "id_seen_after": 1.0,
        "id_heldout_before": 1.0,
        "id_heldout_after": 0.75,
    }


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({}, True),
        ({"updates": 59}, False),
        ({"hands": 255}, False),
        ({"slope": -0.125}, False),
        ({"slope": 0.0}, False),
        ({"updates": 2}, False),
    ],
)
def test_a_run_counts_if_it_is_long_enough_and_its_reward_rose(
    ladder, ladder_hands, rl_scores, make_history, changed, counts
):
    runs = summarise_runs(ladder, ladder_hands, rl_scores, make_history(**changed))
    assert runs["counts"].tolist() == [counts] * len(runs)


def test_updates_may_come_in_any_order(ladder, ladder_hands, rl_scores, make_history, runs):
    shuffled = {arm: history.sample(frac=1, random_state=0) for arm, history in make_history().items()}
    assert summarise_runs(ladder, ladder_hands, rl_scores, shuffled).equals(runs)


def test_a_step_with_two_roles_has_both_rows(ladder, ladder_hands, rl_scores, make_history):
    same = ladder[ladder["role"] != "rung_1"].assign(step=40)
    runs = summarise_runs(same, ladder_hands, rl_scores, make_history())
    assert runs.query("arm == 'anchored' and seed == 0")["role"].tolist() == ["max_ood", "end"]
