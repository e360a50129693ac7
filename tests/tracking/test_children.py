"""What each run says, by the rule that the small study's tables were made by."""

from collections import Counter
from dataclasses import replace

import pytest

from card24_pipeline.tracking.children import ChildBuilder

from .small_study import CHILDREN, EDITS, OOD, SEEDS, SETTINGS, UPDATES, make_tables


@pytest.fixture(scope="module")
def runs():
    return {run.key: run for run in ChildBuilder(make_tables(), SETTINGS, "models", "ood").build()}


def get_last(run):
    """Return each metric's value at its highest step, which stands for the run."""
    return {found.name: found.value for found in sorted(run.metrics, key=lambda found: found.step)}


def get_steps(run, name):
    return {found.step: found.value for found in run.metrics if found.name == name}


def test_every_model_has_a_run(runs):
    assert len(runs) == CHILDREN
    kinds = Counter(run.kind for run in runs.values())
    assert kinds == {"base": 2, "sft": 6, "rl": 8, "edit": len(SEEDS) * len(EDITS)}


class TestSft:
    def test_checkpoint(self, runs):
        run = runs["main: sft step 2 (max_ood), seed 1"]
        assert run.params == {
            "method": "sft",
            "sft_arm": "main",
            "seed": "1",
            "sft_step": "2",
            "role": "max_ood",
            "moved_from": "base",
        }
        assert run.tags == {"card24.checkpoint": "models/seed_1/sft/main/step_2"}
        assert get_last(run) == pytest.approx(
            {
                "ood_pass_at_1": 0.6,
                "ood_select_pass_at_1": 0.3,
                "id_seen_pass_at_1": 0.9,
                "id_heldout_pass_at_1": 0.5,
                "ood_card_to_number_accuracy": 0.8,
                "forward_kl_nats": 0.01,
                "angle_top20_degrees": 3.0,
                "relative_sigma_shift": 0.02,
                "cost_flops": 2000,
            }
        )

    def test_last_checkpoint_has_the_history_and_the_curve(self, runs):
        run = runs["main: sft step 8 (end), seed 0"]
        assert get_steps(run, "ood_pass_at_1") == {0: 0.1} | OOD
        assert get_steps(run, "sft/loss") == {step: 1 / step for step in range(1, 9)}
        assert get_last(run)["ood_pass_at_1"] == OOD[8]
        assert not get_steps(runs["main: sft step 4 (rung_1), seed 0"], "sft/loss")

    def test_base_is_no_distance_from_itself(self, runs):
        run = runs["base, seed 1"]
        assert get_last(run)["forward_kl_nats"] == 0
        assert run.params == {"method": "base", "seed": "1"}
        assert run.tags == {"card24.checkpoint": "models/seed_1/base"}

    def test_seeds_may_share_a_given_base(self, runs):
        tables = make_tables()
        shared = tables.base_scores[tables.base_scores["seed"] == 0].drop(columns="seed")
        arms = {name: SETTINGS[name] for name in ("rl_arms", "edit_arms")}
        children = ChildBuilder(replace(tables, base_scores=shared), arms, "models", "ood").build()
        found = {run.key: run for run in children}
        assert found.keys() - runs.keys() == {"base"}
        assert (found["base"].params, found["base"].tags) == (
            {"method": "base"},
            {"card24.checkpoint": "models/shared/base"},
        )
        key = "main: sft step 8 (end), seed 0"
        assert get_steps(found[key], "ood_pass_at_1") == get_steps(runs[key], "ood_pass_at_1")


class TestRl:
    def test_history_has_a_step_for_each_update(self, runs):
        run = runs["plain: ppo from step 8 (end), seed 0"]
        assert get_steps(run, "rl/reward") == {update: update - 3.0 for update in UPDATES}
        assert get_steps(run, "ood_pass_at_1") == pytest.approx({0: 0.2, 3: 0.3})
        assert not get_steps(run, "rl/explained_variance")  # never measured

    def test_operations_count_from_the_start_of_the_run(self, runs):
        assert get_last(runs["plain: ppo from step 8 (end), seed 0"])["cost_flops"] == 300

    def test_arms_are_apart(self, runs):
        run = runs["anchored: ppo from step 8 (end), seed 1"]
        assert run.params["arm"] == "anchored"
        assert run.tags["card24.checkpoint"] == "models/seed_1/rl/anchored/from_step_8"

    def test_weights_moved_from_where_the_run_started(self, runs):
        assert get_last(runs["plain: ppo from step 2 (max_ood), seed 1"])["angle_top20_degrees"] == 4.0

    def test_share_recovered_is_that_of_the_runs_from_end(self, runs):
        assert get_last(runs["plain: ppo from step 8 (end), seed 0"])["recovered_share"] == pytest.approx(0.25)
        assert "recovered_share" not in get_last(runs["plain: ppo from step 4 (rung_1), seed 0"])


class TestEdits:
    def test_edit(self, runs):
        run = runs["main: layer_reset donor=max_ood quarter=1, seed 0"]
        assert run.params == {
            "method": "layer_reset",
            "donor": "max_ood",
            "knob_name": "quarter",
            "knob": "1",
            "layers": "quarter 1",
            "matrices": "attention,mlp",
            "embeddings": "false",
            "sigma_source": "target",
            "sft_arm": "main",
            "arm": "main",
            "seed": "0",
            "sft_step": "8",
            "role": "end",
        }
        assert get_last(run)["recovered_share"] == 0.25
        assert get_last(run)["cost_flops"] == 7

    def test_edit_without_knob_has_none(self, runs):
        params = runs["main: delta_threshold donor=max_ood, seed 0"].params
        assert not {"knob", "knob_name", "layers"} & set(params)

    def test_a_share_that_the_findings_do_not_give_is_left_out(self, runs):
        assert "recovered_share" not in get_last(runs["main: uv_top donor=base top_fraction=0.2, seed 0"])
