"""What is shown to a model and expected of it."""

import json

import pytest

from card24_pipeline.game.cards import FaceRule
from card24_pipeline.game.prompts import (
    AnswerStyle,
    PromptLayout,
    render_answer,
    render_numbers,
    render_prompt,
    render_solution,
)

ID_RULE, OOD_RULE = FaceRule(10, 10, 10), FaceRule(11, 12, 13)
RANKS = ("7", "J", "5", "A")
VALUES = (7, 11, 5, 1)


@pytest.mark.parametrize("style", AnswerStyle)
def test_compact_prompt(style: AnswerStyle) -> None:
    prompt = render_prompt(RANKS, OOD_RULE, layout=PromptLayout.compact, style=style)
    assert prompt == "J 11 Q 12 K 13 target 24 cards 7 J 5 A :"


def test_compact_answers() -> None:
    formula = render_answer(VALUES, "(11-7)*(5+1)", RANKS, layout=PromptLayout.compact, style=AnswerStyle.formula)
    assert formula == "numbers 7 11 5 1 formula ( 11 - 7 ) * ( 5 + 1 )"
    text = "11 - 7 = 4 , 5 + 1 = 6 , 4 * 6 = 24"
    steps = render_answer(VALUES, text, RANKS, layout=PromptLayout.compact, style=AnswerStyle.steps)
    assert steps == f"numbers 7 11 5 1 steps {text}"
    assert steps == f"{render_numbers(VALUES)} {render_solution(text, AnswerStyle.steps)}"


def test_published_prompt_has_the_fields_of_the_task() -> None:
    prompt = render_prompt(("A", "7", "J", "3"), OOD_RULE, layout=PromptLayout.published, style=AnswerStyle.formula)
    assert "Cards: ['A', '7', 'J', '3']" in prompt
    assert "'J' counts 11, 'Q' counts 12 and 'K' counts 13" in prompt
    for word in ('"cards"', '"number"', '"formula"', "24", "parentheses"):
        assert word in prompt
    steps = render_prompt(RANKS, ID_RULE, 30, layout=PromptLayout.published, style=AnswerStyle.steps)
    assert '"steps"' in steps
    assert "= 30" in steps
    assert "24" not in steps


def test_published_answer_is_one_json_object() -> None:
    text = render_answer(VALUES, "(11-7)*(5+1)", RANKS, layout=PromptLayout.published, style=AnswerStyle.formula)
    assert json.loads(text) == {"cards": list(RANKS), "number": list(VALUES), "formula": "(11-7)*(5+1)=24"}


@pytest.mark.parametrize("layout", PromptLayout)
def test_unknown_ranks_are_refused(layout: PromptLayout) -> None:
    with pytest.raises(ValueError, match="unknown rank '1'"):
        render_prompt(("1", "2", "3", "4"), ID_RULE, layout=layout, style=AnswerStyle.formula)


def test_values_must_match_ranks() -> None:
    with pytest.raises(ValueError, match="3 values for 4 ranks"):
        render_answer((1, 2, 3), "1+2", RANKS, layout=PromptLayout.compact, style=AnswerStyle.formula)
