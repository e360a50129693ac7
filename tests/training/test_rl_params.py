import math
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from card24_pipeline.game.verdicts import Outcome, Verdict
from card24_pipeline.game.verifier import verify
from card24_pipeline.training.rl_params import KlParams, RlParams


def refuse(make_settings, match, **changes):
    with pytest.raises(ValidationError, match=match) as caught:
        make_settings(**changes)
    assert caught.value.error_count() == 1
    return caught.value.errors()[0]["loc"]


class TestFigures:
    @pytest.mark.parametrize(
        ("section", "name", "value", "match"),
        [
            ("rollouts", "max_tries", 0, "greater than 0"),
            ("rollouts", "max_tries", 1.5, "valid integer"),
            ("rollouts", "temperature", 0.0, "greater than 0"),
            ("rewards", "correct", "five", "valid number"),
            ("rewards", "correct", math.nan, "finite number"),
            ("rewards", "no_formula", -math.inf, "finite number"),
            ("optimiser", "learning_rate", math.nan, "finite number"),
            ("optimiser", "learning_rate", math.inf, "finite number"),
            ("optimiser", "learning_rate_shape", "step", "'constant', 'linear' or 'cosine'"),
            ("ppo", "gamma_turn", 1.01, "less than or equal to 1"),
            ("ppo", "critic", "none", "'head' or 'separate'"),
            ("ppo", "value_head_learning_rate", 0.0, "greater than 0"),
            ("ppo", "discount", 0.9, "Extra inputs are not permitted"),
            ("group", "answers_per_hand", 1, "greater than or equal to 2"),
        ],
    )
    def test_one_that_is_out_of_range_is_refused_and_named(self, make_settings, section, name, value, match):
        assert refuse(make_settings, match, **{section: {name: value}}) == (section, name)

    def test_whole_numbers_pass_for_rewards(self, make_settings):
        assert make_settings(rewards={"correct": 7}).rewards == make_settings(rewards={"correct": 7.0}).rewards


class TestRewards:
    def worth(self, settings):
        return [settings.rewards.reward(Verdict(outcome, "of a reason")) for outcome in Outcome]

    def test_default_study_has_the_published_ones(self):
        path = Path(__file__).parents[2] / "params.yaml"
        settings = RlParams.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))["rl"])
        assert self.worth(settings) == [5, 1, -1, -2, -3, -3]

    def test_a_verdict_is_worth_what_its_outcome_is(self, make_settings):
        settings = make_settings(rewards={"correct": 7, "illegal": -0.5})
        assert self.worth(settings) == [7, 1, -1, -2, -0.5, -3]
        assert settings.rewards.reward(verify("8/(3-8/3)", (3, 3, 8, 8))) == 7

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "1", None])
    def test_entries_are_checked_by_name(self, make_settings, value):
        found = refuse(make_settings, "finite number|valid number", rewards={"wrong_value": value})
        assert found == ("rewards", "wrong_value")


class TestSizes:
    def test_micro_batches_fill_a_minibatch(self, make_settings):
        match = "minibatch_size 4 is no multiple of micro_batch_size 3"
        assert refuse(make_settings, match, ppo={"micro_batch_size": 3}) == ("ppo",)

    def test_minibatches_fill_an_update(self, make_settings):
        with pytest.raises(ValueError, match=r"hands_per_update 8 is no multiple of ppo\.minibatch_size 6"):
            make_settings(ppo={"minibatch_size": 6, "micro_batch_size": 3}).check_algorithm("ppo")

    def test_every_hand_has_a_try(self, make_settings):
        match = "max_turns_per_update 7 is below hands_per_update 8"
        assert refuse(make_settings, match, rollouts={"max_turns_per_update": 7}) == ("rollouts",)
        make_settings(rollouts={"max_turns_per_update": 8})

    @pytest.mark.parametrize("name", ["answers_per_hand", "micro_batch_size"])
    def test_groups_fill_an_update(self, make_settings, name):
        with pytest.raises(ValueError, match=f"hands_per_update 8 is no multiple of group.{name} 3"):
            make_settings(group={name: 3}).check_algorithm("grpo")

    def test_sizes_of_the_other_algorithm_do_not_matter(self, make_settings):
        make_settings(rollouts={"hands_per_update": 12}, ppo={"minibatch_size": 8}).check_algorithm("rloo")
        make_settings(group={"answers_per_hand": 3, "micro_batch_size": 5}).check_algorithm("ppo")


@pytest.mark.parametrize("algorithm", ["grpo", "rloo"])
class TestGroupAlgorithms:
    def test_several_tries_are_refused_with_the_reason(self, make_settings, algorithm):
        settings = make_settings(rollouts={"max_tries": 3})
        settings.check_algorithm("ppo")
        with pytest.raises(ValueError, match=f"max_tries 3 with {algorithm}: TRL's trainer .* use max_tries 1 or ppo"):
            settings.check_algorithm(algorithm)

    def test_a_budget_of_turns_is_refused(self, make_settings, algorithm):
        settings = make_settings(rollouts={"max_turns_per_update": 8})
        with pytest.raises(ValueError, match=f"max_turns_per_update has no meaning with {algorithm}"):
            settings.check_algorithm(algorithm)


class TestLayOver:
    def test_only_the_named_keys_change(self, make_settings):
        settings = make_settings()
        changes = {"updates": 9, "ppo": {"epochs": 5}, "rollouts": {"max_turns_per_update": 8}}
        assert settings.lay_over(changes) == make_settings(**changes) != settings
        assert settings.lay_over({}) == settings

    @pytest.mark.parametrize(
        ("changes", "place"),
        [
            ({"algorithm": "ppo"}, ("algorithm",)),
            ({"ppo": {"epoch": 5}}, ("ppo", "epoch")),
            ({"ppo": {"epochs": 0}}, ("ppo", "epochs")),
            ({"ppo": 5}, ("ppo",)),
        ],
    )
    def test_what_was_refused_before_is_refused_here(self, make_settings, changes, place):
        with pytest.raises(ValidationError) as caught:
            make_settings().lay_over(changes)
        assert [error["loc"] for error in caught.value.errors()] == [place]


class TestKl:
    @pytest.mark.parametrize(("anchor", "coefficient"), [("none", 0.1), ("start", 0.0)])
    def test_anchor_and_weight_come_together(self, anchor, coefficient):
        with pytest.raises(ValidationError, match=f"anchor '{anchor}' with coefficient {coefficient}: give both, or"):
            KlParams(anchor=anchor, coefficient=coefficient)

    @pytest.mark.parametrize(
        ("coefficient", "match"), [(-0.1, "greater than or equal to 0"), (math.nan, "finite"), (math.inf, "finite")]
    )
    def test_weight_is_finite_and_not_negative(self, coefficient, match):
        with pytest.raises(ValidationError, match=match):
            KlParams(anchor="start", coefficient=coefficient)

    def test_sound_pairs_pass(self):
        assert KlParams(anchor="none", coefficient=0.0).coefficient == 0
        assert KlParams(anchor="base", coefficient=0.5).anchor == "base"
