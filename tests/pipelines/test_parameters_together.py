from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from card24_pipeline.pipelines.parameters import StudyParams

PARAMETERS = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("sft", "checkpoint_steps"), [10, 100_000], r"sft\n.*checkpoint_steps: .* \(400\)"),
        (("sft", "schedule", "micro_batch_size"), 63, r"sft\.schedule\n.*batch_size 64 is no"),
        (
            ("sft_arms", "tuned", "settings"),
            {"schedule": {"learning_rat": 0.1}},
            r"sft_arms\.tuned\.settings\.schedule\.learning_rat: unknown key, did you mean 'learning_rate'\?",
        ),
        (("sft_arms", "tuned", "settings"), {"schedule": {"steps": 9}}, r"sft_arms\.tuned\.settings.* up to .*\(9\)"),
        (
            ("base_model", "source", "schedule", "micro_batch_size"),
            63,
            r"base_model\.source\.from_scratch\.schedule\n.*batch_size 256 is no multiple",
        ),
        (("rl_arms", "plain", "sft_arm"), "cold", r"rl_arms\.plain\.sft_arm: expected one of hot, .*, got 'cold'"),
        (("edit_arms", "main", "sft_arm"), "cold", r"edit_arms\.main\.sft_arm: expected one of hot, .*, got 'cold'"),
        (("selection", "split"), "ood", r"selection\.split: expected one of ood_select, got 'ood'"),
        (("findings", "compare_arms", "cold"), "hot", r"findings\.compare_arms: expected one of hot, .*, got 'cold'"),
        (("findings", "compare_arms", "tuned"), "tuned", r"compare_arms\.tuned: expected one of hot, .*, got 'tuned'"),
        (("findings", "arm_notes", "cold"), "new", r"findings\.arm_notes: expected one of hot, .*, got 'cold'"),
        (("game", "prompt", "layout"), "published", r"game\.prompt\.layout"),
        (
            ("rl", "rollouts", "max_tries"),
            2,
            r"rl_arms\.plain: rollouts\.max_tries 2 and .* need up to 81 tokens.*max_tokens is 64",
        ),
        (("rl", "rollouts", "max_new_tokens"), 51, r"rl_arms\.plain: .* need up to 65 tokens"),
        (
            ("rl", "rollouts", "hands_per_update"),
            100,
            r"rl_arms\.plain: hands_per_update 100 is no .* ppo\.minibatch_size 64",
        ),
        (("rl_arms", "plain", "kl", "coefficient"), 0.1, r"anchor 'none' with coefficient 0\.1"),
        (
            ("rl_arms", "plain_tuned", "settings"),
            {"rollouts": {"max_new_tokens": 51}},
            r"rl_arms\.plain_tuned: .* need up to 65 tokens",
        ),
        (
            ("rl_arms", "plain_tuned", "settings"),
            {"updats": 3, "ppo": {"epochs": 0}},
            r"settings\.ppo\.epochs: .*greater than 0.*; rl_arms\.plain_tuned\.settings\.updats: unknown key",
        ),
        (("rl_arms", "plain_tuned", "roles"), ["rung_3"], r"rl_arms\.plain_tuned\.roles: expected one of .*'rung_3'"),
        (("rl_arms", "plain_tuned", "roles"), ["id_70"], r"roles: expected one of .*id_60, id_75, got 'id_70'"),
        (("rl_arms", "plain_annealed", "roles"), ["id_75"], r"plain_annealed\.roles: expected one of end, got 'id_75'"),
    ],
)
def test_settings_that_would_stop_a_later_stage_are_refused_at_once(keys, value, message):
    parameters = deepcopy(PARAMETERS)
    place = parameters
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(ValidationError, match=message):
        StudyParams.model_validate(parameters)


def test_settings_at_the_edge_pass():
    parameters = deepcopy(PARAMETERS)
    parameters["rl"]["rollouts"]["max_new_tokens"] = 50
    parameters["selection"]["ladder_rungs"] = 1
    parameters["rl_arms"]["plain_tuned"]["roles"] = ["rung_1"]
    StudyParams.model_validate(parameters)


def test_context_of_a_base_from_a_folder_is_not_known_yet():
    parameters = deepcopy(PARAMETERS)
    parameters["rl"]["rollouts"]["max_tries"] = 5
    parameters["base_model"]["source"] = {"kind": "folder", "path": "data/elsewhere"}
    StudyParams.model_validate(parameters)
