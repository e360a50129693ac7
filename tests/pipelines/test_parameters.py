import copy
from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader
from pydantic import ValidationError

from card24_pipeline.pipelines.parameters import ProjectParameters
from card24_pipeline.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).parents[2]


def read(scale):
    return OmegaConfigLoader(str(ROOT / "conf"), env=scale, **CONFIG_LOADER_ARGS)["parameters"]


@pytest.fixture(scope="module")
def parameters():
    return read("base")


def change(parameters, key, value):
    changed = copy.deepcopy(parameters)
    *parents, name = key.split(".")
    place = changed
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[name]
    else:
        place[name] = value
    return changed


@pytest.mark.parametrize("scale", ["base", "smoke"])
def test_every_scale_is_valid_and_leaves_no_key_to_a_default(scale):
    values = read(scale)
    project = ProjectParameters.model_validate(values)
    whole, given = project.model_dump(mode="json"), project.model_dump(mode="json", exclude_unset=True)
    assert given == values
    # A family of edits names only the choices that make it one.
    whole["recovery"]["grid"] = given["recovery"]["grid"]
    assert whole == values


def test_smoke_lays_its_values_over_the_others(parameters):
    smoke = read("smoke")
    assert smoke["sft"]["schedule"]["steps"] < parameters["sft"]["schedule"]["steps"]
    assert smoke["sft"]["schedule"]["learning_rate"] == parameters["sft"]["schedule"]["learning_rate"]
    assert smoke["game"]["rules"] == parameters["game"]["rules"]


def test_base_may_come_from_a_folder(parameters):
    source = {"kind": "folder", "path": "data/elsewhere"}
    study = ProjectParameters.model_validate(change(parameters, "base_model.source", source))
    assert study.base_model.source.root.path == "data/elsewhere"


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("seed", -1, "greater_than_equal"),
        ("seeds", [], "too_short"),
        ("seeds", 3, "list_type"),
        ("game.rules.target", "24", "int_type"),
        ("game.rules.target", 24.0, "int_type"),
        ("game.rules.target", True, "int_type"),
        ("game.rules.ood.king", 0, "greater_than"),
        ("game.prompt.layout", "prose", "enum"),
        ("game.split.never_met_fraction", 1.5, "less_than"),
        ("game.split.never_met_fraction", "half", "float_type"),
        ("game.eval_hands.orders.ood", 0, "greater_than"),
        ("base_model.mixture.examples", 1e3, "int_type"),
        ("base_model.mixture.puzzle_weight", -0.1, "greater_than_equal"),
        ("sft.checkpoint_steps", [], "too_short"),
        ("sft.checkpoint_steps", [0, 10], "greater_than"),
        ("sft.checkpoint_steps", ["10"], "int_type"),
        ("sft.schedule.learning_rate", "fast", "float_type"),
        ("sft.schedule.learning_rate", None, "missing"),
        ("sft.schedule.learning_rate_shape", "linear", "literal_error"),
        ("scoring.confidence", 95, "less_than"),
        ("selection.split", "ood", "literal_error"),
        ("game.rl_hands.deals_per_multiset", 0, "greater_than"),
        ("rl.algorithm", "dpo", "literal_error"),
        ("rl.rollouts.max_tries", 0, "greater_than"),
        ("rl.rewards.correct", "five", "float_type"),
        ("rl.rewards.correct", float("nan"), "finite_number"),
        ("rl_arms.plain.roles", ["ends"], "value_error"),
        ("rl_arms.plain.roles", [], "value_error"),
        ("rl_arms.plain.roles", "end", "value_error"),
        ("rl_arms.plain.roles", ["rung_0"], "value_error"),
        ("rl_arms.plain.kl.anchor", "sft", "literal_error"),
        ("rl_arms.anchored", None, "missing"),
        ("report.resamples", 0, "greater_than"),
        ("report", None, "missing"),
    ],
)
def test_wrong_values_are_refused_by_their_key(parameters, key, value, kind):
    with pytest.raises(ValidationError) as caught:
        ProjectParameters.model_validate(change(parameters, key, value))
    (error,) = caught.value.errors()
    assert ".".join(map(str, error["loc"])).startswith(key)
    assert error["type"] == kind


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "game",
        "game.rules.id",
        "game.prompt",
        "sft",
        "sft.schedule",
        "scoring",
        "rl",
        "rl.rewards",
        "rl_arms",
        "rl_arms.plain",
        "report",
    ],
)
def test_unknown_keys_are_refused_at_every_level(parameters, parent):
    key = f"{parent}.learning_rat".removeprefix(".")
    with pytest.raises(ValidationError) as caught:
        ProjectParameters.model_validate(change(parameters, key, 1))
    (error,) = caught.value.errors()
    assert (".".join(map(str, error["loc"])), error["type"]) == (key, "extra_forbidden")


@pytest.mark.parametrize("source", [{"kind": "folder"}, {"kind": "hub", "path": "x"}, {"path": "x"}])
def test_source_of_the_base_says_what_it_needs(parameters, source):
    with pytest.raises(ValidationError, match=r"base_model\.source"):
        ProjectParameters.model_validate(change(parameters, "base_model.source", source))
