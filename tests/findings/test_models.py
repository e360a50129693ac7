import pandas as pd
import pytest

from card24_pipeline.findings.gathering import spread_levels
from card24_pipeline.findings.models import lay_out_hands
from card24_pipeline.findings.reading import FRAMES, read_study
from card24_pipeline.page.sft_paths import list_paths
from card24_pipeline.study.vocabulary import sort_roles


class Stored:
    """A table as the catalog hands it out, to be read for lists of seeds and arms."""

    def __init__(self, table):
        self.table = table

    def read(self, **_):
        return self.table


HALF = "main/uv_top donor=max_ood top_fraction=0.2"


def test_roles_are_sorted_down_the_ladder():
    roles = ["end", "id_90", "rung_10", "id_70", "max_ood", "rung_2", "end"]
    assert sort_roles(roles) == ["max_ood", "rung_2", "rung_10", "id_70", "id_90", "end"]


def test_an_arm_that_keeps_one_checkpoint_has_an_end_and_no_other_names_for_it(study):
    tables = study.tables()
    hands, selected = tables.sft_hand_scores, tables.selected_checkpoints
    only_end = (hands["sft_arm"] != "tuned_annealed") | (hands["step"] == 40)
    inputs = {name: Stored(getattr(tables, name)) for name in FRAMES} | {
        "sft_hand_scores": Stored(hands[only_end]),
        "selected_checkpoints": Stored(
            selected.assign(step=selected["step"].where(selected["sft_arm"] != "tuned_annealed", 40))
        ),
        "sft_arms": {"main": {}},
        "rl_arms": study.rl_arms,
        "edit_arms": {"main": {"sft_arm": "main"}},
    }
    found = read_study(study.seeds, inputs)
    roles = found.selected_checkpoints.groupby("sft_arm")["role"].unique().map(set)
    assert roles["tuned_annealed"] == {"end"}
    assert roles["tuned"] == {"max_ood", "id_70", "end"}
    findings = study.find(**{name: getattr(found, name) for name in ("sft_hand_scores", "selected_checkpoints")})
    assert findings.level("tuned_annealed/end") == pytest.approx(0.65)
    assert list_paths(findings)["tuned_annealed"] == ["tuned_annealed/step 40"]
    assert list_paths(findings)["tuned"][0] == "base"


@pytest.mark.parametrize(
    ("model", "title"),
    [
        ("main/id_70", "SFT at ≥70 % ID"),
        ("tuned/end", "End (tuned)"),
        ("plain/from max_ood", "plain RL from MaxOOD"),
        ("main/uv_top donor=base top_fraction=0.2", "uv_top donor=base top_fraction=0.2"),
        ("base", "base"),
    ],
)
def test_models_of_another_arm_than_the_first_carry_its_name(findings, model, title):
    assert findings.title(model) == title


def test_rl_and_edits_of_another_arm_carry_its_name_and_not_their_own(study):
    study.rl_arms["anchored"] = {"sft_arm": "tuned", "roles": ["end"]}
    moved = {
        name: getattr(study, made)().assign(sft_arm="tuned")
        for name, made in (("edit_variants", "variants"), ("edit_hand_scores", "edit_hands"))
    }
    hands, history = (
        table.assign(sft_arm=table["rl_arm"].map(lambda arm: study.rl_arms[arm]["sft_arm"]))
        for table in (study.rl_hands(), study.history())
    )
    found = study.find(rl_hand_scores=hands, rl_history=history, **moved)
    assert found.title("anchored/from end") == "anchored RL from End (tuned)"
    assert found.title("main/uv_top donor=base top_fraction=0.2") == "uv_top donor=base top_fraction=0.2 (tuned)"


class TestStarts:
    def test_levels_of_id_are_starts_by_name_only(self, study):
        starts = study.tables().starts.query("seed == 0")
        assert starts.loc[starts["rl_arm"] == "plain", "role"].tolist() == ["max_ood", "rung_1", "end"]
        assert starts.loc[starts["rl_arm"] == "anchored", "role"].tolist() == ["end"]
        study.rl_arms["anchored"] = {"sft_arm": "tuned", "roles": ["id_70"]}
        named = study.tables().starts.query("seed == 0 and rl_arm == 'anchored'")
        assert named[["sft_arm", "role", "from_step"]].values.tolist() == [["tuned", "id_70", 20]]


class TestListing:
    def test_every_model_is_listed_once_by_arm(self, findings):
        models = findings.models.set_index("model")
        assert models.index.is_unique
        assert {"base", "main/max_ood", "main/end", "main/middle", "main/step 10", "plain/from end"} <= set(
            models.index
        )
        assert models["kind"].value_counts().to_dict() == {"edit": 14, "sft": 26, "rl": 5, "base": 1}
        assert models.loc[HALF, ["arm", "sft_arm", "method", "donor", "knob"]].tolist() == [
            "main", "main", "uv_top", "max_ood", 0.2,
        ]  # fmt: skip

    def test_costs_are_means_over_seeds_and_rl_is_summed_over_its_updates(self, findings):
        costs = findings.models.set_index("model")["cost_flops"]
        assert costs[HALF] == 2_500
        assert costs["plain/from end"] == 25_000 * 60
        free = ["main/end", "main/max_ood", "base", "main/layer_reset donor=max_ood quarter=1"]
        assert costs[free].tolist() == [0] * 4

    def test_a_variant_that_is_not_described_is_named(self, study):
        variants = study.variants().query("method != 'layer_scaling'")
        with pytest.raises(ValueError, match=r"not described or not scored: main/layer_scaling donor=max_ood"):
            study.estimate(edit_variants=variants)


class TestHands:
    def test_a_model_scored_on_some_hands_only_is_refused(self, study):
        with pytest.raises(
            ValueError, match=r"replicate 0: 'main/uv_top donor=max_ood top_fraction=0\.1' was scored on 98%"
        ):
            study.estimate(edit_hand_scores=study.edit_hands().drop(index=0))

    def test_each_seed_has_its_own_steps(self, study):
        own = study.selected()
        own.loc[(own["seed"] == 1) & (own["role"] == "max_ood"), "step"] = 20
        estimates = study.estimate(selected_checkpoints=own)[1]
        losses = pick(estimates, "difference of pass@1", "main/max_ood", "main/end").set_index("scope")["estimate"]
        assert losses.to_dict() == pytest.approx(
            {"all replicates": 0.525, "replicate 0": 0.6, "replicate 1": 0.3, "replicate 2": 0.6, "replicate 3": 0.6}
        )

    def test_a_seed_without_a_rung_leaves_the_others(self, study):
        shorter = study.selected().query("seed == 0 or role != 'rung_1'")
        estimates = study.estimate(selected_checkpoints=shorter)[1]
        gains = pick(estimates, "difference of pass@1", "plain/from rung_1", "main/rung_1")
        assert set(gains["scope"]) == {"all replicates", "replicate 0"}
        assert set(gains["seeds"]) == {1}

    def test_the_middle_is_the_mean_of_the_rungs(self, study):
        wide = lay_out_hands(study.tables(selected_checkpoints=add_rung(study.selected())))
        expected = (wide["main/rung_1"] + wide["main/rung_2"]) / 2
        assert wide["main/middle"].equals(expected.rename("main/middle"))

    def test_rl_from_some_rungs_only_has_no_middle(self, study):
        wide = lay_out_hands(study.tables(selected_checkpoints=add_rung(study.selected(), step=30)))
        assert "plain/from rung_1" in wide
        assert "plain/from middle" not in wide


def test_plots_call_the_claims_rule_ood_whatever_its_name(study):
    models, estimates, _ = study.estimate()
    renamed = estimates.replace({"split": {"ood": "big", "id_heldout": "ood"}})
    plain, other = (
        spread_levels(models, estimates, "ood", by_step=True),
        spread_levels(models, renamed, "big", by_step=True),
    )
    assert other["ood"].tolist() == plain["ood"].tolist()
    assert other["ood_rule"].tolist() == plain["id_heldout"].tolist()


def add_rung(selected, step=40):
    return pd.concat([selected, selected[selected["role"] == "rung_1"].assign(role="rung_2", step=step)])


def pick(estimates, quantity, subject, reference, split="ood", hands="all"):
    where = {"quantity": quantity, "subject": subject, "reference": reference, "split": split, "hands": hands}
    return estimates[(estimates[list(where)] == list(where.values())).all(axis=1)]
