import pandas as pd
import pytest

from card24_pipeline.evaluation import scoring
from card24_pipeline.evaluation.costs import count_forward_flops
from card24_pipeline.evaluation.generation import Generation
from card24_pipeline.evaluation.scoring import ScoringParams, score_hands, summarise_scores
from card24_pipeline.game.prompts import AnswerStyle, PromptLayout
from card24_pipeline.game.verdicts import Outcome
from card24_pipeline.parameters.prompt import PromptParams

SETTINGS = ScoringParams(max_new_tokens=8, batch_size=2, divergence_examples=1, confidence=0.95)
HAND = (13, 4, 1, 1)

# Answers to K 4 A A where K counts 13: outcome, numbers read, formula right for the numbers read.
ANSWERS = [
    ("numbers 13 4 1 1 steps 13 - 1 = 12 , 12 * 1 = 12 , 12 * 4 = 48", "wrong_value", True, False),
    ("numbers 13 4 1 1 steps 13 - 1 = 12 , 4 - 1 = 3 , 12 * 3 = 36", "wrong_value", True, False),
    ("numbers 13 4 1 1 steps 13 - 1 = 13 , 4 - 1 = 3 , 13 * 3 = 39", "wrong_value", True, False),
    ("numbers 13 4 1 1 steps 13 + 4 = 17", "wrong_numbers", True, False),
    ("numbers 10 4 1 1 steps 10 + 4 = 14 , 14 + 1 = 15 , 15 + 1 = 16", "wrong_numbers", False, False),
    ("numbers 6 4 1 1 steps 6 * 4 = 24 , 24 * 1 = 24 , 24 / 1 = 24", "wrong_numbers", False, True),
    ("numbers 6 4 1 1 steps 6 * 4 = 24 , 24 * 1 = 24", "wrong_numbers", False, False),
    ("numbers 13 4 1 1 steps 13 13", "illegal", True, False),
    ("numbers 13 4 1 1 steps", "no_formula", True, False),
    ("", "no_formula", False, False),
    # What no hand can be: no number, a zero, more numbers than any hand has.
    ("numbers steps 6 * 4 = 24", "wrong_numbers", False, False),
    ("numbers 0 4 6 1 steps 4 * 6 = 24 , 24 * 1 = 24 , 24 + 0 = 24", "wrong_numbers", False, False),
    ("numbers 1 1 1 1 1 1 1 1 steps 1 + 1 = 2", "wrong_numbers", False, False),
]


def make_hands(values=HAND, count=1, **columns):
    rows = {
        "split": "ood",
        "hand": range(count),
        "multiset": "-".join(map(str, sorted(values))),
        "cards": "K 4 A A",
        "values": [list(values)] * count,
        "target": 24,
        "base_met_multiset": True,
        "prompt": "cards K 4 A A :",
    }
    return pd.DataFrame(rows | columns)


@pytest.fixture
def score(make_model, tokenizer, monkeypatch):
    """Score hands with answers written by hand in place of generated ones."""

    def run(hands, texts, layout=PromptLayout.compact, style=AnswerStyle.steps):
        def answer(model, tokenizer, prompts, **kwargs):
            assert list(prompts) == hands["prompt"].tolist()
            assert kwargs == {"max_new_tokens": 8, "batch_size": 2, "description": "step 5"}
            return [Generation(text, 6, len(text.split()) + 1, False) for text in texts]

        monkeypatch.setattr(scoring, "generate_answers", answer)
        return score_hands(
            make_model(), tokenizer, hands, SETTINGS, PromptParams(layout=layout, style=style), label="step 5"
        )

    return run


class TestHands:
    def test_answers_are_judged_in_three_ways(self, score):
        texts = [text for text, *_ in ANSWERS]
        rows = score(make_hands(count=len(texts)), texts)
        found = rows[["answer", "outcome", "numbers_correct", "formula_correct"]]
        assert [tuple(row) for row in found.itertuples(index=False)] == ANSWERS
        assert not rows["passed"].any()

    @pytest.mark.parametrize(
        ("text", "numbers_correct"),
        [
            ("numbers 8 3 3 8 steps 8 / 3 = 8/3 , 3 - 8/3 = 1/3 , 8 / 1/3 = 24", True),
            ("numbers 3 3 8 8 steps 8 / 3 = 8/3 , 3 - 8/3 = 1/3 , 8 / 1/3 = 24", False),
            ("numbers 8 3 3 7 steps 8 / 3 = 8/3 , 3 - 8/3 = 1/3 , 8 / 1/3 = 24", False),
        ],
    )
    def test_the_formula_alone_decides_whether_a_hand_is_passed(self, score, text, numbers_correct):
        (row,) = score(make_hands((8, 3, 3, 8)), [text]).to_dict("records")
        assert row["outcome"] == "correct"
        assert row["passed"] is True
        assert row["numbers_correct"] is numbers_correct

    def test_cut_answer_may_be_a_legal_prefix(self, score):
        (row,) = score(make_hands((8, 3, 3, 8)), ["numbers 8 3 3 8 steps 8 / 3 = 8/3 , 3 -"]).to_dict("records")
        assert row["outcome"] == "legal_prefix"

    def test_published_layout_is_read_as_json(self, score):
        text = '{"cards": ["8", "3", "3", "8"], "number": [8, 3, 3, 8], "formula": "8/(3-8/3)=24"}'
        broken = '{"cards": [], "number": [], "formula": "8/(3-8/3)=24"}'
        rows = score(make_hands((8, 3, 3, 8), count=2), [text, broken], PromptLayout.published, AnswerStyle.formula)
        assert rows["passed"].tolist() == [True, True]
        assert rows["numbers_correct"].tolist() == [True, False]
        assert rows["formula_correct"].tolist() == [True, False]

    def test_rows_keep_identity_and_count_costs(self, score, make_model):
        hands = make_hands(count=2, split=["id_seen", "ood"], hand=[4, 9], base_met_multiset=[True, False])
        rows = score(hands.set_index(pd.Index([7, 3])), ["numbers 13", ""])
        assert rows.index.tolist() == [7, 3]
        for name in ("split", "hand", "multiset", "cards", "base_met_multiset"):
            assert rows[name].tolist() == hands[name].tolist(), name
        assert rows["answer_tokens"].tolist() == [3, 1]
        assert rows["generation_flops"].tolist() == [count_forward_flops(make_model(), [6 + n]) for n in (3, 1)]
        assert rows["malformed"].tolist()[1] == "the answer is empty"

    def test_target_of_the_hand_counts(self, score):
        text = "numbers 1 1 1 1 steps 1 + 1 = 2 , 2 * 1 = 2 , 2 + 1 = 3"
        rows = score(make_hands((1, 1, 1, 1), count=2, target=[3, 4]), [text, text])
        assert rows["passed"].tolist() == [True, False]

    def test_a_real_model_is_scored_end_to_end(self, make_model, tokenizer):
        rows = score_hands(
            make_model(),
            tokenizer,
            make_hands(count=3),
            SETTINGS,
            PromptParams(layout="compact", style="steps"),
            label="tiny",
        )
        assert rows["prompt_tokens"].tolist() == [6] * 3
        assert rows["answer_tokens"].between(1, 8).all()
        assert set(rows["outcome"]) <= {kind.value for kind in Outcome}


@pytest.fixture
def graded():
    """Two splits; each multiset in two orders; the base never met m3."""
    passed = {"m1": (True, True), "m2": (True, False), "m3": (False, False), "m4": (True, True)}
    rows = [
        {
            "split": "id_seen" if multiset == "m4" else "ood",
            "multiset": multiset,
            "base_met_multiset": multiset != "m3",
            "passed": value,
            "outcome": "correct" if value else ("illegal", "wrong_value")[order],
            "numbers_correct": value,
            "formula_correct": True,
            "malformed": "" if value else "no line",
            "answer_tokens": 10 + order,
            "cut": order == 1,
            "generation_flops": 1000,
        }
        for multiset, values in passed.items()
        for order, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


class TestSummary:
    def test_groups_are_split_by_whether_the_base_met_them(self, graded):
        summary = summarise_scores(graded, confidence=0.95).set_index(["split", "base_met_multiset"])
        assert set(summary.index) == {
            ("id_seen", "all"),
            ("id_seen", "met"),
            ("ood", "all"),
            ("ood", "met"),
            ("ood", "never_met"),
        }
        assert summary["hands"].to_dict()["ood", "all"] == 6
        assert summary["multisets"].to_dict()["ood", "met"] == 2
        assert summary["pass_at_1"].to_dict() == {
            ("id_seen", "all"): 1.0,
            ("id_seen", "met"): 1.0,
            ("ood", "all"): 0.5,
            ("ood", "met"): 0.75,
            ("ood", "never_met"): 0.0,
        }

    def test_met_and_never_met_add_up(self, graded):
        ood = summarise_scores(graded, confidence=0.95).query("split == 'ood'").set_index("base_met_multiset")
        for name in ("hands", "multisets", "generated_tokens", "generation_flops"):
            assert ood.loc["met", name] + ood.loc["never_met", name] == ood.loc["all", name]

    def test_shares_of_outcomes_sum_to_one(self, graded):
        summary = summarise_scores(graded, confidence=0.95)
        shares = summary[[f"share_{kind.value}" for kind in Outcome]]
        assert shares.sum(axis=1).tolist() == pytest.approx([1.0] * len(summary))
        row = summary.query("split == 'ood' and base_met_multiset == 'all'").iloc[0]
        assert (row["share_correct"], row["share_illegal"], row["share_wrong_value"]) == pytest.approx(
            (3 / 6, 1 / 6, 2 / 6)
        )
        assert (row["malformed_share"], row["cut_share"], row["mean_answer_tokens"]) == pytest.approx((0.5, 0.5, 10.5))

    def test_interval_counts_multisets_and_not_hands(self, graded):
        row = summarise_scores(graded, confidence=0.95).query("split == 'ood' and base_met_multiset == 'all'").iloc[0]
        expected = scoring.wilson_interval(1.5, 3, confidence=0.95)
        assert (row["pass_at_1_low"], row["pass_at_1_high"]) == (expected.low, expected.high)
