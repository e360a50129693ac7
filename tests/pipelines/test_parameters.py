import copy
from pathlib import Path

import pytest
from pydantic import ValidationError

from card24_pipeline.pipelines.parameters import ProjectParams
from card24_pipeline.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS

ROOT = Path(__file__).parents[2]


def read(scale):
    loader = CONFIG_LOADER_CLASS(str(ROOT / "conf"), env=scale, fill_keys=False, **CONFIG_LOADER_ARGS)
    return loader["parameters"]


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
    project = ProjectParams.model_validate(values)
    whole, given = project.model_dump(mode="json"), project.model_dump(mode="json", exclude_unset=True)
    assert given == values
    # What an arm or a rule has of its own, and the choices of a family of edits, are named where they are made only.
    for rule in whole["game"]["rules"]["ood"].values():
        assert rule.pop("target") is None
    for name, arm in [*whole["rl_arms"].items(), *whole["sft_arms"].items()]:
        assert arm["settings"] == {} or name in given["sft_arms"]
        if not arm["settings"]:
            arm.pop("settings")
    whole["edit_arms"]["main"]["grid"] = given["edit_arms"]["main"]["grid"]
    assert whole == values


def test_smoke_lays_its_values_over_the_others(parameters):
    smoke = read("smoke")
    small, whole = (values["sft"]["schedule"] for values in (smoke, parameters))
    assert small["steps"] < whole["steps"]
    assert small["learning_rate"] == whole["learning_rate"]
    assert smoke["game"]["rules"] == parameters["game"]["rules"]


def test_base_may_come_from_a_folder(parameters):
    source = {"kind": "folder", "path": "data/elsewhere"}
    study = ProjectParams.model_validate(change(parameters, "base_model.source", source))
    assert study.base_model.source.root.path == "data/elsewhere"


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("seeds", [0, 1, 0], "value_error"),
        ("seeds", [True], "int_type"),
        ("device", "tpu", "literal_error"),
        ("device", None, "missing"),
        ("seeds", [], "too_short"),
        ("threads", 0, "greater_than_equal"),
        ("threads", 1025, "less_than_equal"),
        ("threads", 1.0, "int_type"),
        ("threads", True, "int_type"),
        ("seeds", 3, "list_type"),
        ("game.rules.target", "24", "int_type"),
        ("game.rules.target", 24.0, "int_type"),
        ("game.rules.target", True, "int_type"),
        ("game.rules.ood.ood.king", 0, "greater_than"),
        ("game.rules.ood.far", {"jack": 1, "queen": 2}, "missing"),
        ("game.rules.ood.ood.target", 0, "greater_than"),
        ("game.rules.ood", {}, "too_short"),
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
        ("selection.split", 3, "string_type"),
        ("selection.id_percents", [0.6], "int_type"),
        ("selection.id_percents", [100], "less_than_equal"),
        ("sft_arms", {}, "too_short"),
        ("edit_arms.main.sft_arm", None, "missing"),
        ("game.rl_hands.deals_per_multiset", 0, "greater_than"),
        ("rl_arms.plain.algorithm", "dpo", "literal_error"),
        ("rl.rollouts.max_tries", 0, "greater_than"),
        ("rl.rewards.correct", "five", "float_type"),
        ("rl.rewards.correct", float("nan"), "finite_number"),
        ("rl_arms.plain.roles", ["ends"], "value_error"),
        ("rl_arms.plain.roles", [], "value_error"),
        ("rl_arms.plain.roles", "end", "value_error"),
        ("rl_arms.plain.roles", ["rung_0"], "value_error"),
        ("rl_arms.plain.kl.anchor", "sft", "literal_error"),
        ("rl_arms.plain_tuned.kl", None, "missing"),
        ("findings.resamples", 99, "greater_than_equal"),
        ("findings", None, "missing"),
    ],
)
def test_wrong_values_are_refused_by_their_key(parameters, key, value, kind):
    with pytest.raises(ValidationError) as caught:
        ProjectParams.model_validate(change(parameters, key, value))
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
        "game.rules.ood.ood",
        "sft",
        "sft_arms.hot",
        "sft.schedule",
        "scoring",
        "rl",
        "rl.rewards",
        "rl_arms.plain",
        "edit_arms.main",
        "findings",
    ],
)
def test_unknown_keys_are_refused_at_every_level(parameters, parent):
    key = f"{parent}.learning_rat".removeprefix(".")
    with pytest.raises(ValidationError) as caught:
        ProjectParams.model_validate(change(parameters, key, 1))
    (error,) = caught.value.errors()
    assert (".".join(map(str, error["loc"])), error["type"]) == (key, "extra_forbidden")


@pytest.mark.parametrize("name", ["all", "hot-main", "hot main", "", "heiß"])
@pytest.mark.parametrize("kind", ["sft_arms", "rl_arms", "edit_arms"])
def test_names_of_arms_are_plain_words(parameters, kind, name):
    block = next(iter(parameters[kind].values()))
    with pytest.raises(ValidationError, match=r"expected a name of letters, digits and '_', and not 'all'"):
        ProjectParams.model_validate(change(parameters, f"{kind}.{name}", block))
    ProjectParams.model_validate(change(parameters, f"{kind}.Hot_2", block))


@pytest.mark.parametrize("name", ["id", "id_far", "published", "sft", "far_select", "far-off", ""])
def test_names_of_ood_rules_make_splits(parameters, name):
    with pytest.raises(ValidationError, match="splits are named after it"):
        ProjectParams.model_validate(change(parameters, f"game.rules.ood.{name}", {"jack": 7, "queen": 5, "king": 3}))
    rule = {"jack": 7, "queen": 5, "king": 3, "target": 22}
    ProjectParams.model_validate(change(parameters, "game.rules.ood.far_2", rule))


@pytest.mark.parametrize("source", [{"kind": "folder"}, {"kind": "hub", "path": "x"}, {"path": "x"}])
def test_source_of_the_base_says_what_it_needs(parameters, source):
    with pytest.raises(ValidationError, match=r"base_model\.source"):
        ProjectParams.model_validate(change(parameters, "base_model.source", source))
