import pytest

from card24_pipeline.findings.accuracy import DIFFERENCE
from card24_pipeline.findings.choices import ANY_ID, KEEPING_ID, list_leads


def choose(findings, choice):
    chosen = findings.models[findings.models[choice]]
    return dict(zip(chosen["family"], chosen["knob"], strict=True))


def test_the_best_knob_that_keeps_id_and_the_best_whatever_id(findings):
    assert choose(findings, KEEPING_ID)["main/uv_top donor=max_ood"] == 0.2
    assert choose(findings, ANY_ID)["main/uv_top donor=max_ood"] == 0.5


def test_it_is_chosen_on_other_hands_than_those_that_are_shown(study):
    study.edits["uv_top donor=max_ood"][1][0.1] = (0.90, 0.30, 0.60, 0.10)
    assert choose(study.find(), KEEPING_ID)["main/uv_top donor=max_ood"] == 0.1


def test_a_tie_goes_to_the_smaller_knob(study):
    knobs = {0.2: (0.90, 0.30, 0.20, 0.20), 0.1: (0.90, 0.30, 0.20, 0.30)}
    study.edits["uv_random donor=max_ood"] = ("random_fraction", knobs)
    assert choose(study.find(), KEEPING_ID)["main/uv_random donor=max_ood"] == 0.1


def test_no_variant_within_the_point(findings):
    assert "main/layer_scaling donor=max_ood" not in choose(findings, KEEPING_ID)
    assert choose(findings, ANY_ID)["main/layer_scaling donor=max_ood"] == 0.2


def test_families_of_one_model_end_and_base_left_out(findings):
    families = set(choose(findings, ANY_ID))
    assert {"main/max_ood", "plain/from end", "anchored/from end"} <= families
    assert not {"main/end", "base", "plain/from max_ood"} & families


def test_controls_are_held_to_at_least_the_merge_s_id(findings):
    leads = list_leads(findings.models, findings.estimates, "ood").set_index("kind")["control"]
    assert leads.to_dict() == {
        "uv_random": "main/uv_random donor=max_ood random_fraction=0.1",
        "interpolation": "main/interpolation donor=max_ood donor_share=0.5",
        "layer_scaling": "",
        "singular_values": "",
        "max_ood": "",
        "plain": "plain/from end",
        "anchored": "anchored/from end",
    }
    merge = "main/uv_top donor=max_ood top_fraction=0.2"
    found = {kind: findings.find(DIFFERENCE, merge, control, split="ood") for kind, control in leads.items() if control}
    assert {kind: row["estimate"] for kind, row in found.items()} == pytest.approx(
        {"uv_random": 0.3, "interpolation": -0.3, "plain": 0.2, "anchored": 0.1}
    )
