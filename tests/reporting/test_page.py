import pytest

from card24_pipeline.reporting.page import FROM_FOLDER, MODEL_ORGANISM, judge_sign, write_report


@pytest.mark.parametrize(
    ("low", "high", "sign", "verdict"),
    [
        (0.1, 0.3, 1, "holds"),
        (-0.1, 0.3, 1, "undecided"),
        (-0.3, -0.1, 1, "does not hold"),
        (-0.3, -0.1, -1, "holds"),
        (-0.3, 0.1, -1, "undecided"),
        (0.1, 0.3, -1, "does not hold"),
        (0.0, 0.3, 1, "undecided"),
        (-0.3, 0.0, 1, "undecided"),
        (-0.3, 0.0, -1, "undecided"),
        (0.0, 0.0, 1, "undecided"),
    ],
)
def test_a_claim_holds_only_if_its_whole_interval_does(low, high, sign, verdict):
    assert judge_sign(low, high, sign) == verdict


@pytest.fixture
def write(builder, base_hands, sft_hands, selected, scores):
    def run(trained_from_scratch=True, confidence=0.95):
        curves = builder.trace_accuracy(base_hands, sft_hands)
        contrasts = builder.contrast_selected(base_hands, sft_hands, selected)
        return write_report(
            curves, contrasts, scores, selected, confidence=confidence, trained_from_scratch=trained_from_scratch
        )

    return run


def test_verdicts_stand_beside_their_numbers(write):
    page = write()
    assert "- OOD rises from the base to MaxOOD: **holds** (+75.0 (" in page
    assert "- OOD falls from MaxOOD to End: **holds** (-100.0 (-100.0 to -100.0) points)" in page
    assert "- ID (multisets of SFT) climbs from MaxOOD to End: **holds** (+75.0 (" in page


def test_a_shape_that_is_not_there_is_said_not_to_hold(write, sft_hands):
    sft_hands.loc[(sft_hands["split"] == "ood") & (sft_hands["step"] == 40), "passed"] = True
    sft_hands.loc[(sft_hands["split"] == "id_seen") & (sft_hands["step"] == 40), "passed"] = False
    sft_hands.loc[(sft_hands["split"] == "id_seen") & (sft_hands["step"] == 10), "passed"] = True
    page = write()
    assert "- OOD falls from MaxOOD to End: **undecided** (+0.0 (+0.0 to +0.0) points)" in page
    assert "climbs from MaxOOD to End: **does not hold** (-100.0 (" in page


def test_every_seed_has_its_rows(write):
    lines = write().splitlines()
    assert "| 0 | max_ood | 10 | 25.0 | 50.0 | 100.0 | 87.5 | 0.062 |" in lines
    assert "| 1 | end | 40 | 100.0 | 100.0 | 0.0 | 87.5 | 0.062 |" in lines


def test_curve_table_has_a_row_for_each_step(write):
    lines = write().splitlines()
    start = lines.index("| step | id_heldout | id_seen | ood |")
    assert [line.split(" | ")[0] for line in lines[start + 2 : start + 5]] == ["| 0", "| 10", "| 40"]
    assert lines[start + 3].endswith("| 100.0 (100.0–100.0) |")


def test_table_rows_are_as_wide_as_their_heads(write):
    tables = [block for block in write().split("\n\n") if block.startswith("|")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_page_says_what_the_model_is(write):
    assert MODEL_ORGANISM in write(trained_from_scratch=True)
    assert MODEL_ORGANISM not in write(trained_from_scratch=False)
    assert FROM_FOLDER in write(trained_from_scratch=False)


def test_level_of_the_intervals_is_named(write):
    assert "(90% intervals)" in write(confidence=0.9)


def test_page_shows_the_figure_of_its_folder(write):
    assert "](sft_curves.png)" in write()
