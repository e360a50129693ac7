from pathlib import Path

import pytest
import yaml

from card24_pipeline.pipelines.parameters import StudyParams
from card24_pipeline.tracking.study import flatten_settings

PROJECT = Path(__file__).parents[2]


def test_leaves_are_named_by_their_path():
    settings = {"rl": {"kl": None, "rates": [0.1, 1.0]}, "grid": [{"method": "uv_top", "on": True}, {"method": "Ü"}]}
    assert flatten_settings(settings) == {
        "grid.0.method": "uv_top",
        "grid.0.on": "true",
        "grid.1.method": "Ü",
        "rl.kl": "null",
        "rl.rates": "[0.1, 1]",
    }


def test_models_are_flattened_as_the_file_they_were_made_of():
    # A run of one pipeline hands over plain mappings, a run of the whole graph models, for other nodes ask for them.
    plain = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    model = StudyParams.model_validate(plain)
    blocks = {name: getattr(model, name) for name in StudyParams.model_fields}
    assert flatten_settings(blocks) == flatten_settings(plain)


@pytest.mark.parametrize("value", [1e-5, 0.25, 1 / 3])
def test_fractions_keep_their_digits(value):
    assert float(flatten_settings({"rate": value})["rate"]) == value
