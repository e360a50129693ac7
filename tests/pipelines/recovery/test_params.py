import pytest
from pydantic import ValidationError

from card24_pipeline.pipelines.recovery.params import EditArmParams


def make_arm(*grid, **settings) -> EditArmParams:
    return EditArmParams(**{"sft_arm": "main", "seed": 3, "grid": list(grid), **settings})


def test_a_family_becomes_an_edit_for_each_donor_choice_and_knob() -> None:
    arm = make_arm(
        {"method": "layer_reset", "donors": ["max_ood", "base"], "knobs": [1, 2], "embeddings": [False, True]},
        {"method": "singular_values", "donors": ["base"], "matrices": ["mlp"]},
    )
    edits = arm.list_edits()
    assert len(edits) == 2 * 2 * 2 + 1
    assert [edit.name for edit in edits[:3]] == [
        "layer_reset donor=max_ood quarter=1",
        "layer_reset donor=max_ood quarter=2",
        "layer_reset donor=max_ood embeddings quarter=1",
    ]
    assert edits[-1].name == "singular_values donor=base matrices=mlp"
    assert {edit.seed for edit in edits} == {3}


FAMILY = {"method": "uv_top", "donors": ["base"], "knobs": [0.2]}


@pytest.mark.parametrize(
    ("families", "message"),
    [
        ([FAMILY | {"knobs": [0.2, 0.2]}], "listed twice: uv_top donor=base top_fraction=0.2"),
        ([FAMILY | {"method": "lines"}], "no method is called 'lines'"),
        ([FAMILY | {"knobs": []}], "uv_top needs top_fraction"),
        ([FAMILY | {"knobs": [2]}], "top_fraction: expected a number from 0 to 1, got 2"),
        ([FAMILY | {"donors": ["end"]}], "Input should be 'max_ood' or 'base'"),
        ([FAMILY | {"knobs": ["0.2"]}], "valid number"),
        ([], "at least 1 item"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(families, message) -> None:
    with pytest.raises(ValidationError, match=message):
        make_arm(*families)
