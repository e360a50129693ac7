"""The verifier against an independent reader, and against hostile texts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card24_pipeline.game.prefixes import is_legal_prefix
from card24_pipeline.game.solver import solve
from card24_pipeline.game.verdicts import Outcome, Verdict, feedback
from card24_pipeline.game.verifier import verify

from .oracles import judge

HAND = (3, 3, 8, 8)


@pytest.mark.parametrize(
    ("formula", "outcome"),
    [
        ("8/(3-8/3)", Outcome.correct),
        (" 8 / ( 3 - 8 / 3 ) = 24 ", Outcome.correct),
        ("((8))/(3-(8/3))", Outcome.correct),
        ("8/(3-8/3", Outcome.legal_prefix),
        ("8/(3-8/3)=", Outcome.legal_prefix),
        ("8/(3-8/3)=2", Outcome.legal_prefix),
        ("8", Outcome.legal_prefix),
        ("8/(3-8/3)=25", Outcome.wrong_value),
        ("8*3+8/3", Outcome.wrong_value),
        ("8*3*8/8", Outcome.wrong_numbers),
        ("8*3", Outcome.wrong_numbers),
        ("8*3/0", Outcome.wrong_numbers),
        ("8/(3-3)+8", Outcome.illegal),
        ("8/(3-8/3))", Outcome.illegal),
        ("8+", Outcome.illegal),
        ("-8+8*3*3", Outcome.illegal),
        ("no idea", Outcome.illegal),
        ("", Outcome.no_formula),
        (" \n\u00a0", Outcome.no_formula),
        (None, Outcome.no_formula),
    ],
)
def test_outcomes(formula: str | None, outcome: Outcome) -> None:
    verdict = verify(formula, HAND)
    assert verdict.outcome is outcome
    assert verdict.message
    assert verdict.message[-1] != "."


HOSTILE = {
    "megabyte of digits": ("1" * 1_000_000, Outcome.illegal),
    "number within the limit": ("9" * 1000, Outcome.wrong_numbers),
    "product of long numbers": ("*".join(["9" * 90] * 10), Outcome.wrong_numbers),
    "long stated number": ("8/(3-8/3)=" + "9" * 900, Outcome.wrong_value),
    "megabyte of spaces": (" " * 1_000_000, Outcome.no_formula),
    "200,000 parentheses": ("(" * 200_000, Outcome.illegal),
    "400 parentheses": ("(" * 400, Outcome.legal_prefix),
    "400 closed": (")" * 400, Outcome.illegal),
    "nested within the limit": ("(" * 495 + "8/(3-8/3)" + ")" * 495, Outcome.correct),
    "power tower": ("9**9**9", Outcome.illegal),
    "arabic digits": ("\u0668/(\u0663-\u0668/\u0663)", Outcome.illegal),
    "fullwidth digits": ("\uff18/(3-8/3)", Outcome.illegal),
    "superscript": ("8\u00b2", Outcome.illegal),
    "unary minus": ("-(8-8)*3*3", Outcome.illegal),
    "unary plus": ("+8/(3-8/3)", Outcome.illegal),
    "leading zero": ("08/(3-8/3)", Outcome.illegal),
    "NUL": ("8/(3-8/3)\x00", Outcome.illegal),
    "lone surrogate": ("\ud800", Outcome.illegal),
    "code": ("__import__('os').getcwd()", Outcome.illegal),
    "megabyte of text": ("so " * 350_000, Outcome.illegal),
    "many operators": ("8" + "+8" * 499, Outcome.wrong_numbers),
    "joined digits": ("8 8/3 3", Outcome.illegal),
    "underscore": ("8_8", Outcome.illegal),
    "decimal": ("8.0/(3-8/3)", Outcome.illegal),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_get_a_short_verdict(name: str) -> None:
    text, outcome = HOSTILE[name]
    verdict = verify(text, HAND)
    assert verdict.outcome is outcome
    assert len(verdict.message) < 200
    assert verdict.message.encode()


@settings(deadline=None, max_examples=500)
@given(
    st.text(alphabet="1238+-*/()= ", max_size=14) | st.text(max_size=8),
    st.sampled_from([((3, 3, 8, 8), 24), ((1, 2, 3), 6), ((2, 2), 4), ((1, 2, 12), 24), ((8,), 8)]),
)
def test_random_texts_are_judged_as_by_an_independent_reader(text: str, puzzle: tuple[tuple[int, ...], int]) -> None:
    values, target = puzzle
    expected = judge(text, values, target)
    if expected not in ("correct", "no_formula") and is_legal_prefix(text, values, target):
        expected = "legal_prefix"
    assert verify(text, values, target).outcome == expected


_NUMBERS = st.sampled_from("3388")


@settings(deadline=None, max_examples=500)
@given(
    st.recursive(
        _NUMBERS,
        lambda part: st.builds("{}{}{}".format, part, st.sampled_from("+-*/"), part) | st.builds("({})".format, part),
        max_leaves=5,
    )
)
def test_random_formulas_are_judged_as_by_an_independent_reader(text: str) -> None:
    outcome = verify(text, HAND).outcome
    assert outcome == ("legal_prefix" if outcome == "legal_prefix" else judge(text, HAND, 24))


@settings(deadline=None, max_examples=100)
@given(st.data(), st.lists(st.integers(1, 13), min_size=4, max_size=4))
def test_white_space_between_tokens_changes_nothing(data: st.DataObject, hand: list[int]) -> None:
    for text in solve(hand)[:3]:
        spaces = st.sampled_from(["", " ", "  ", "\t", "\n"])
        signs = {sign: data.draw(spaces) + sign + data.draw(spaces) for sign in "+-*/()"}
        assert verify("".join(signs.get(letter, letter) for letter in text), hand).is_correct


def test_messages_say_what_is_wrong() -> None:
    assert verify("8*3*8/8", HAND).message == (
        "your formula leaves out 3 and uses 8 beyond the cards; each number is used once"
    )
    assert verify("8*3+8/3", HAND).message == "your formula equals 80/3, not 24"


def test_feedback_tells_success_and_failure_apart() -> None:
    assert feedback(verify("8*3+8/3", HAND)).startswith(
        "You failed this trial because your formula equals 80/3, not 24."
    )
    assert feedback(verify("8/(3-8/3)", HAND)).startswith("You solved this trial")
    for outcome in Outcome:
        assert feedback(Verdict(outcome, "of a reason")).startswith("You ")


def test_bad_hands_are_refused_for_any_text() -> None:
    for text in (None, "", "1"):
        with pytest.raises(ValueError, match="the hand"):
            verify(text, ())
