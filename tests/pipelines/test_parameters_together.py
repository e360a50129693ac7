from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from card24_pipeline.pipelines.parameters import StudyParameters

PARAMETERS = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("sft", "checkpoint_steps"), [10, 100_000], r"sft\.checkpoint_steps"),
        (("sft", "schedule", "micro_batch_size"), 63, r"sft\.schedule\.batch_size"),
        (("base_model", "source", "schedule", "micro_batch_size"), 63, r"base_model\.source\.schedule\.batch_size"),
        (("game", "prompt", "layout"), "published", r"game\.prompt\.layout"),
        (
            ("rl", "rollouts", "max_tries"),
            2,
            r"rl\.rollouts: max_tries 2 and .* need up to 81 tokens.*max_tokens is 64",
        ),
        (("rl", "rollouts", "max_new_tokens"), 51, r"rl\.rollouts: .* need up to 65 tokens"),
        (("rl", "rollouts", "hands_per_update"), 100, r"hands_per_update 100 is no multiple of minibatch_size 64"),
        (("rl_arms", "plain", "kl", "coefficient"), 0.1, r"anchor 'none' with coefficient 0\.1"),
        (
            ("rl_arms", "plain", "kl"),
            {"anchor": "max_ood", "coefficient": 0.1},
            r"rl_arms\.plain\.kl\.anchor: expected none, .* got max_ood",
        ),
        (
            ("rl_arms", "anchored", "kl"),
            {"anchor": "none", "coefficient": 0.0},
            r"rl_arms\.anchored\.kl\.anchor: expected start, max_ood or base, got none",
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
        StudyParameters.model_validate(parameters)


def test_settings_at_the_edge_pass():
    parameters = deepcopy(PARAMETERS)
    parameters["rl"]["rollouts"]["max_new_tokens"] = 50
    parameters["rl_arms"]["anchored"]["roles"] = ["rung_2"]
    StudyParameters.model_validate(parameters)


def test_context_of_a_base_from_a_folder_is_not_known_yet():
    parameters = deepcopy(PARAMETERS)
    parameters["rl"]["rollouts"]["max_tries"] = 5
    parameters["base_model"]["source"] = {"kind": "folder", "path": "data/elsewhere"}
    StudyParameters.model_validate(parameters)
