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
