"""Answers found in model text, and graded."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card24_pipeline.game.answers import MAX_ANSWER_CHARS, Answer, grade_answer, parse_answer
from card24_pipeline.game.cards import FaceRule
from card24_pipeline.game.hands import deal_orders
from card24_pipeline.game.prompts import AnswerStyle, PromptLayout, render_answer
from card24_pipeline.game.solver import solve
from card24_pipeline.game.steps import format_steps, solve_steps
from card24_pipeline.game.verdicts import Outcome

from .oracles import list_solvable

HAND = (3, 3, 8, 8)
OOD_RULE = FaceRule(11, 12, 13)
FULL = '{"cards": ["3", "8", "3", "8"], "number": [3, 8, 3, 8], "formula": "8/(3-8/3)=24"}'
PUBLISHED: dict[str, Any] = {"layout": PromptLayout.published, "style": AnswerStyle.formula}
COMPACT: dict[str, Any] = {"layout": PromptLayout.compact, "style": AnswerStyle.formula}


@pytest.mark.parametrize("layout", PromptLayout)
@pytest.mark.parametrize("style", AnswerStyle)
def test_rendered_answers_are_read_back_and_correct(layout: PromptLayout, style: AnswerStyle) -> None:
    rng = random.Random(0)
    for hand in list_solvable(13)[::7]:
        (ranks,) = deal_orders(hand, OOD_RULE, 1, rng)
        values = OOD_RULE.values(ranks)
        texts = solve(hand) if style is AnswerStyle.formula else map(format_steps, solve_steps(hand))
        for text in texts:
            answer_text = render_answer(values, text, ranks, layout=layout, style=style)
            answer = parse_answer(answer_text, layout=layout, style=style)
            assert answer.malformed is None
            assert answer.numbers == values
            assert answer.cards == (ranks if layout is PromptLayout.published else None)
            assert grade_answer(answer_text, hand, layout=layout, style=style).outcome is Outcome.correct


def test_first_complete_json_answer_counts() -> None:
    text = f'Sure {{"formula": oops}} {{"note": 1}} ```json\n{FULL}\n``` {{"formula": "1+1"}}'
    assert parse_answer(text, **PUBLISHED) == Answer(("3", "8", "3", "8"), (3, 8, 3, 8), "8/(3-8/3)=24", None)


def test_json_that_is_cut_off_keeps_its_formula_as_far_as_it_goes() -> None:
    start = FULL.index("8/(3")
    for length in range(start + 1, len(FULL)):
        answer = parse_answer(FULL[:length], **PUBLISHED)
        assert answer.formula == FULL[start:length].split('"')[0]
        assert answer.malformed == "the JSON object is cut off"
        expected = Outcome.correct if FULL[start:length].startswith("8/(3-8/3)=24") else None
        verdict = grade_answer(FULL[:length], HAND, **PUBLISHED)
        assert verdict.outcome in ((expected,) if expected else (Outcome.legal_prefix, Outcome.correct))
    for length in range(start):
        assert grade_answer(FULL[:length], HAND, **PUBLISHED).outcome is Outcome.no_formula


def test_malformed_is_not_wrong() -> None:
    wrong = FULL.replace("8/(3-8/3)", "8*3+8/3")
    assert parse_answer(wrong, **PUBLISHED).malformed is None
    assert grade_answer(wrong, HAND, **PUBLISHED).outcome is Outcome.wrong_value
    bare = parse_answer('{"formula": "8/(3-8/3)", "number": ["3"]}', **PUBLISHED)
    assert bare.formula == "8/(3-8/3)"
    assert bare.malformed == '"cards" is not a list of strings; "number" is not a list of whole numbers'
    assert parse_answer('{"formula": 24}', **PUBLISHED).formula is None
    verdict = grade_answer("8/(3-8/3)", HAND, **PUBLISHED)
    assert verdict.outcome is Outcome.no_formula
    assert "no JSON object" in verdict.message


@pytest.mark.parametrize(
    ("text", "numbers", "formula", "is_malformed"),
    [
        ("numbers 3 8 formula 8 * 3", (3, 8), "8 * 3", False),
        (" numbers 3 8 formula 8 * 3 \nnumbers 1 formula 1", (3, 8), "8 * 3", False),
        ("numbers 3 8 formula", (3, 8), None, False),
        ("numbers 3 8", (3, 8), None, True),
        ("formula 8 * 3", None, "8 * 3", True),
        ("numbers 3 x formula 8 * 3", None, "8 * 3", True),
        ("numbers " + "9" * 5000 + " formula 8", None, "8", True),
        ("numbers \u0663 formula 8", None, "8", True),
        ("", None, None, True),
        (None, None, None, True),
    ],
)
def test_compact_answers(
    text: str | None, numbers: tuple[int, ...] | None, formula: str | None, is_malformed: bool
) -> None:
    answer = parse_answer(text, **COMPACT)
    assert (answer.numbers, answer.formula) == (numbers, formula)
    assert (answer.malformed is not None) == is_malformed


HOSTILE = [
    '{"' * 500_000, "{" * 1_000_000, '{"a":' * 200_000, '{"formula": "' + "(" * 1_000_000, "[" * 1_000_000,
    '{"number": [' + "9" * 6_000 + '], "formula": "1"}', '{"formula": "\\ud800"}', '{"formula": "\\u12',
    '{"formula": ["' * 10_000, "\x00" * 1_000_000, '{"formula": NaN}', '{"formula": {"formula": "1"}}',
    "\ud800", "formula " * 100_000, "numbers " * 100_000, '{"steps": "' + "1 + 1 = 2 , " * 100_000,
    '{"formula": "' + "\\\\" * 4_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("layout", PromptLayout)
@pytest.mark.parametrize("style", AnswerStyle)
def test_hostile_texts_get_a_verdict(text: str, layout: PromptLayout, style: AnswerStyle) -> None:
    verdict = grade_answer(text, HAND, layout=layout, style=style)
    assert verdict.outcome in (Outcome.no_formula, Outcome.illegal, Outcome.wrong_numbers)
    assert verdict.message.encode()


def test_text_beyond_the_window_is_not_read() -> None:
    assert parse_answer(" " * MAX_ANSWER_CHARS + FULL, **PUBLISHED).formula is None
    assert parse_answer(" " * (MAX_ANSWER_CHARS - len(FULL)) + FULL + "x" * 10**6, **PUBLISHED).malformed is None


@settings(deadline=None, max_examples=300)
@given(
    st.text(max_size=60) | st.text(alphabet='{}[]":,\\ formulastepnumb138+-*/()', max_size=60),
    st.sampled_from(PromptLayout),
    st.sampled_from(AnswerStyle),
)
def test_no_text_makes_it_raise(text: str, layout: PromptLayout, style: AnswerStyle) -> None:
    assert grade_answer(text, HAND, layout=layout, style=style).message
