import math

import pandas as pd
import pytest

from card24_pipeline.findings.claims_arms import measure_at_id
from card24_pipeline.findings.judge import adjust_p_values, judge_statements, summarise_study
from card24_pipeline.findings.lookup import Findings, Found
from card24_pipeline.findings.published import Comparison, compare_sft, measure_published, newcombe_interval
from card24_pipeline.findings.statements import Statement, list_statements, statement
from card24_pipeline.study.numbers import write_interval

NOTHING = pd.DataFrame(columns=["model", "stage", "sft_step", "split", "percent", "n"])


def make(key="one", *, estimate=0.5, p_value=0.001, side="above", bound=0.0, confirmatory=True, found=None, seeds=10):
    """A statement whose estimate is told."""
    row = {"estimate": estimate, "low": estimate - 1, "high": estimate + 1, "p_value": p_value, "bound": bound}
    row |= {"clusters": 40, "seeds": seeds, "split": "ood", "se_replicates": 0.1, "se_hands": math.nan}
    measured = Found(row, {"replicate 0": estimate}) if found is None else found
    reason = "" if confirmatory else "no placebo"
    return Statement(key, key, 1, lambda _: measured, side, bound, "points", confirmatory, reason, False, (), "")


@pytest.fixture
def judge(findings):
    """Judge, with verdicts from as many replicates as the miniature has."""
    return lambda *statements, replicates=4: {
        row["key"]: row for row in judge_statements(statements, findings, NOTHING, replicates=replicates)
    }


class TestHolm:
    def test_p_values_step_down(self):
        adjusted = adjust_p_values({"none": 0.9, "sure": 0.001, "weak": 0.03})
        assert adjusted == pytest.approx({"sure": 0.003, "weak": 0.06, "none": 0.9})

    def test_none_is_below_the_one_before_it(self):
        assert adjust_p_values({"first": 0.02, "second": 0.021})["second"] == pytest.approx(0.04)

    def test_what_holds_alone_is_undecided_among_many(self, judge):
        weak = make("weak", p_value=0.03)
        assert judge(weak)["weak"]["verdict"] == "holds"
        others = [make(f"other {place}", p_value=0.9) for place in range(4)]
        assert judge(weak, *others)["weak"]["verdict"] == "undecided"

    def test_the_family_is_all_confirmatory_statements_and_no_other(self, judge):
        weak = make("weak", p_value=0.03)
        others = [make(f"other {place}", p_value=0.9, confirmatory=False) for place in range(4)]
        rows = judge(weak, *others)
        assert rows["weak"]["verdict"] == "holds"
        assert {rows[f"other {place}"]["verdict"] for place in range(4)} == {"exploratory"}


class TestVerdict:
    @pytest.mark.parametrize(
        ("estimate", "side", "bound", "p_value", "verdict"),
        [
            (2.0, "above", 0.0, 0.001, "holds"),
            (-2.0, "above", 0.0, 0.001, "does not hold"),
            (-2.0, "below", 0.0, 0.001, "holds"),
            (2.0, "below", 3.5, 0.001, "holds"),
            (2.0, "above", 3.5, 0.001, "does not hold"),
            (2.0, "above", 2.5, 0.06, "undecided"),
        ],
    )
    def test_by_the_side_of_the_bound(self, judge, estimate, side, bound, p_value, verdict):
        row = judge(make(estimate=estimate, side=side, bound=bound, p_value=p_value))["one"]
        assert row["verdict"] == verdict
        assert row["by_seed"] == {"replicate 0": estimate}

    def test_exploratory_statements_get_an_interval_and_no_word(self, judge):
        row = judge(make(confirmatory=False))["one"]
        assert (row["verdict"], row["p_holm"], row["low"]) == ("exploratory", None, -0.5)
        assert row["why_exploratory"] == "no placebo"

    def test_a_study_of_few_replicates_has_exploratory_statements_only(self, judge):
        row = judge(make(seeds=4), replicates=10)["one"]
        assert (row["verdict"], row["p_holm"]) == ("exploratory", None)
        assert row["why_exploratory"] == "fewer than 10 replicates"
        assert (row["estimate"], row["se_replicates"], row["se_hands"]) == (0.5, 0.1, None)

    def test_a_statement_on_few_replicates_is_undecided_and_stays_in_the_family(self, judge):
        rows = judge(make("few", seeds=3), make("weak", p_value=0.03))
        assert (rows["few"]["verdict"], rows["few"]["p_holm"]) == ("undecided", 1.0)
        assert rows["few"]["note"] == "fewer than 4 replicates"
        assert (rows["weak"]["verdict"], rows["weak"]["p_holm"]) == ("undecided", pytest.approx(0.06))

    def test_what_was_not_measured_has_no_word_in_a_small_study_either(self, judge):
        lost = make("lost", found=Found(note="not measured"))
        assert judge(lost, replicates=5)["lost"]["verdict"] == "exploratory"

    def test_runs_that_do_not_count_decide_nothing(self, judge):
        counted = make()
        idle = Found(counted.measure(None).row, {}, "runs that do not count", decides=False)
        assert judge(make(found=idle))["one"]["verdict"] == "undecided"

    def test_what_was_not_measured_says_why_and_stays_in_the_family(self, judge):
        rows = judge(make("one", p_value=0.03), make("lost", found=Found(note="not measured")))
        assert (rows["lost"]["verdict"], rows["lost"]["estimate"]) == ("undecided", None)
        assert (rows["lost"]["note"], rows["lost"]["p_holm"]) == ("not measured", 1.0)
        assert rows["one"]["p_holm"] == pytest.approx(0.06)

    def test_a_bound_of_another_p_value_is_refused(self, findings):
        other = Statement(**{**vars(make()), "bound": 0.5})
        with pytest.raises(ValueError, match=r"statement one: its bound is 0\.5, that of its estimate 0\.0"):
            judge_statements([other], findings, NOTHING, replicates=4)


class TestRegistry:
    def test_every_statement_is_measured_on_a_whole_study(self, findings):
        rows = {one.key: one.measure(findings) for one in list_statements(findings.arm_pairs)}
        assert {key for key, found in rows.items() if found.row is None} == set()
        assert rows["rl_from_end_raises_ood"].row["estimate"] == pytest.approx(0.1)
        assert rows["top_directions_recover"].row["estimate"] == pytest.approx(0.5)

    def test_arms_are_compared_pair_by_pair_with_their_id_beside(self, findings):
        statements = {one.key: one for one in list_statements(findings.arm_pairs) if one.claim == 5}
        rows = {key: one.measure(findings) for key, one in statements.items()}
        assert {key: found.row["estimate"] for key, found in rows.items()} == pytest.approx(
            {
                "main_annealed_above_main_at_end": 0.05,
                "main_annealed_above_main_at_equal_id": 0.0,
                "tuned_above_main_at_end": 0.4,
                "tuned_above_main_at_equal_id": 0.25,
                "tuned_annealed_above_tuned_at_end": 0.05,
                "tuned_annealed_above_tuned_at_equal_id": 0.0,
            }
        )
        assert statements["tuned_above_main_at_end"].text == "At End, SFT tuned has more OOD than SFT main"
        on_id = findings.difference("tuned/end", "main/end", split="id_seen").row
        assert rows["tuned_above_main_at_end"].note == f"ID {write_interval(on_id, 'points')}"
        assert rows["tuned_above_main_at_equal_id"].note == (
            "SFT at ≥70 % ID, both in 4 of 4 replicates; ID +0.0 (+0.0 to +0.0)"
        )

    def test_arms_compare_where_a_replicate_has_both_at_a_level(self, study):
        selected = study.selected().query("not (seed == 1 and sft_arm == 'tuned' and role == 'id_70')")
        high = selected.query("role == 'id_70' and (sft_arm == 'main') == (seed == 0)").assign(role="id_90")
        found = study.find(selected_checkpoints=pd.concat([selected, high]))
        assert found.list_levels("tuned", "main") == ["id_70", "id_90"]
        note = measure_at_id(found, "tuned", "main").note
        assert note.startswith("SFT at ≥70 % ID, both in 3 of 4 replicates; ID ")

    def test_pairs_that_a_study_lacks_have_no_statement(self, study):
        study.arms = {}
        found = study.find()
        assert [one for one in list_statements(found.arm_pairs) if one.claim == 5] == []

    def test_what_has_no_placebo_or_compares_at_unequal_id_gets_no_verdict(self):
        confirmatory = {one.key for one in list_statements() if one.confirmatory}
        assert confirmatory == {
            "ood_peaks_before_end",
            "id_seen_does_not_fall",
            "id_heldout_does_not_fall",
            "ends_turn_more_beyond_nulls",
        }

    def test_an_exploratory_statement_says_why(self):
        with pytest.raises(ValueError, match="say why it is exploratory"):
            statement(1)(lambda findings: Found())

    def test_a_name_is_registered_once(self):
        def ood_peaks_before_end(findings: Findings) -> Found:
            return Found()

        list_statements()
        with pytest.raises(ValueError, match="registered twice"):
            statement(1, confirmatory=True)(ood_peaks_before_end)

    def test_without_rl_its_statements_are_not_measured(self, study):
        tables = study.tables()
        empty = {name: getattr(tables, name).iloc[:0] for name in ("rl_hand_scores", "rl_scores", "rl_history")}
        empty |= {name: getattr(tables, name).iloc[:0] for name in ("rl_spectra", "rl_spectra_by_index", "rl_return")}
        found = study.find(**empty)
        rows = {one.key: one.measure(found) for one in list_statements() if one.claim == 4}
        assert {row.note for row in rows.values()} == {"not measured"}


def test_headline_figures(findings):
    claims = judge_statements(list_statements(), findings, PUBLISHED, replicates=4)
    summary = summarise_study(claims, findings, ("ood", "id_seen"))
    assert summary["pass_at_1"]["ood"]["main/end"] == 0.2
    assert "main/step 10" not in summary["pass_at_1"]["ood"]
    assert summary["claims"]["ood_peaks_before_end"] == pytest.approx(0.6)
    assert sum(summary["verdicts"].values()) == len(claims)


STAGES = [("rl", step) for step in (140, 500, 700, 800, 900, 1100)] + [("sft", step) for step in (500, 700, 900)]
STAGES += [("sft_max_ood", 140), ("sft_max_ood", 120), ("sft_end", 1100), ("sft_end", 800)]
PUBLISHED = pd.DataFrame(
    {"model": model, "stage": stage, "sft_step": step, "split": split, "percent": 10.0, "n": 234}
    for model in ("Llama-3.2-11B", "Qwen2.5-7B")
    for stage, step in STAGES
    for split in ("id", "ood")
)


class TestPublished:
    TABLE = pd.DataFrame(
        {
            "model": "Llama",
            "stage": ["rl", "rl", "sft_end"],
            "sft_step": [1100, 1100, 1100],
            "split": "ood",
            "percent": [15.38, 16.24, 8.97],
            "n": 234,
        }
    )

    def test_difference_of_the_first_figure_listed(self):
        found = measure_published(self.TABLE, Comparison("Llama", ("rl", 1100), ("sft_end", 1100), "RL − End"))
        assert found["estimate"] == pytest.approx(0.1538 - 0.0897)
        assert (found["label"], found["hands"]) == ("Llama: RL − End", 234)

    def test_sft_is_compared_both_ways_round(self):
        for sign, label, left in ((1, "MaxOOD − End", "sft_max_ood"), (-1, "End − MaxOOD", "sft_end")):
            for one in compare_sft("id", sign):
                assert (one.label, one.left[0], one.split) == (label, left, "id")
                assert one.left != one.right

    def test_newcombe_s_published_example(self):
        interval = newcombe_interval((56 / 70, 70), (48 / 80, 80), confidence=0.95)
        assert (interval.low, interval.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
