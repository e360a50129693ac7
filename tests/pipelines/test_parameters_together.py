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
        (("sft_arms", "main", "checkpoint_steps"), [10, 100_000], r"sft_arms\.main\n.*checkpoint_steps: .* \(400\)"),
        (("sft_arms", "main", "schedule", "micro_batch_size"), 63, r"sft_arms\.main\.schedule\n.*batch_size 64 is no"),
        (
            ("base_model", "source", "schedule", "micro_batch_size"),
            63,
            r"base_model\.source\.from_scratch\.schedule\n.*batch_size 256 is no multiple",
        ),
        (("rl_arms", "plain", "sft_arm"), "hot", r"rl_arms\.plain\.sft_arm: expected one of main, got 'hot'"),
        (("edit_arms", "main", "sft_arm"), "hot", r"edit_arms\.main\.sft_arm: expected one of main, got 'hot'"),
        (("selection", "split"), "ood", r"selection\.split: expected one of ood_select, got 'ood'"),
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
            ("rl_arms", "anchored", "settings"),
            {"rollouts": {"max_new_tokens": 51}},
            r"rl_arms\.anchored: .* need up to 65 tokens",
        ),
        (
            ("rl_arms", "anchored", "settings"),
            {"updats": 3, "ppo": {"epochs": 0}},
            r"anchored\.settings\.ppo\.epochs: .*greater than 0; rl_arms\.anchored\.settings\.updats: Extra inputs",
        ),
        (("rl_arms", "anchored", "roles"), ["rung_3"], r"rl_arms\.anchored\.roles: rung_3, but .*ladder_rungs is 2"),
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
    parameters["rl_arms"]["anchored"]["roles"] = ["rung_2"]
    StudyParams.model_validate(parameters)


def test_context_of_a_base_from_a_folder_is_not_known_yet():
    parameters = deepcopy(PARAMETERS)
    parameters["rl"]["rollouts"]["max_tries"] = 5
    parameters["base_model"]["source"] = {"kind": "folder", "path": "data/elsewhere"}
    StudyParams.model_validate(parameters)
