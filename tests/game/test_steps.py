"""Derivations and their verifier."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card24_pipeline.game.expressions import Operation
from card24_pipeline.game.solver import solve
from card24_pipeline.game.steps import format_steps, solve_steps, verify_steps
from card24_pipeline.game.verdicts import Outcome

from .oracles import list_solvable

HAND = (1, 5, 7, 10)  # (10-7)*(5+1) makes 18
FRACTIONS = (3, 3, 8, 8)


def test_every_derivation_of_every_hand_is_correct() -> None:
    for hand in list_solvable(13):
        derivations = solve_steps(hand)
        assert derivations
        assert len(derivations) <= len(solve(hand))
        assert len(set(derivations)) == len(derivations)
        for steps in derivations:
            assert len(steps) == 3
            assert verify_steps(format_steps(steps), hand).outcome is Outcome.correct


def test_steps_go_left_to_right_innermost_first() -> None:
    texts = [format_steps(steps) for steps in solve_steps(HAND, 18)]
    assert "5 + 1 = 6 , 10 - 7 = 3 , 6 * 3 = 18" in texts
    assert len(texts) == len(solve(HAND, 18))


def test_fractions_are_one_word() -> None:
    (steps,) = solve_steps(FRACTIONS)
    assert steps[0] == Operation(Fraction(8), "/", Fraction(3), Fraction(8, 3))
    assert format_steps(steps) == "8 / 3 = 8/3 , 3 - 8/3 = 1/3 , 8 / 1/3 = 24"


def test_equal_derivations_appear_once() -> None:
    assert {"2+2)/4", "/(2+2"} <= {part for text in solve((2, 2, 4), 1) for part in ("2+2)/4", "/(2+2") if part in text}
    texts = [format_steps(steps) for steps in solve_steps((2, 2, 4), 1)]
    assert texts.count("2 + 2 = 4 , 4 / 4 = 1") == 1


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("10 - 7 = 3 , 5 + 1 = 6 , 3 * 6 = 18", Outcome.correct),
        (" 10 - 7 = 3,5 + 1 = 6,\n6 * 3 = 18 ", Outcome.correct),
        ("7 - 10 = -3 , 1 + 5 = 6 , -3 * 6 = -18", Outcome.wrong_value),
        ("10 - 7 = 3 , 5 + 1 = 6 , 3 + 6 = 9", Outcome.wrong_value),
        ("10 - 7 = 4", Outcome.wrong_value),
        ("10 - 7 = 4 , 5 + 1 = 6 , 3 * 6 = 18", Outcome.wrong_value),
        ("10 - 7 = 3", Outcome.legal_prefix),
        ("10 - 7 = 3 ,", Outcome.legal_prefix),
        ("10 - 7 = 3 , 5 + 1 = 6", Outcome.legal_prefix),
        ("10 - 7 = 3 , 5 +", Outcome.legal_prefix),
        ("10 - 7 = 3 , 5 + 1 =", Outcome.legal_prefix),
        ("10 - 7 = 3 , 5 + 1 = 6 , 3 * 6 = 1", Outcome.legal_prefix),
        ("10 - 7 = 3 , 5 + 1 = 6 , 3 * 6 = 1 ", Outcome.wrong_value),
        ("1", Outcome.legal_prefix),
        ("10 * 7 = 70", Outcome.wrong_numbers),
        ("10 - 7 = 3 , 10 + 1 = 11", Outcome.wrong_numbers),
        ("10 - 10 = 0", Outcome.wrong_numbers),
        ("4 + 4 = 8", Outcome.wrong_numbers),
        ("10 * 7 =", Outcome.illegal),
        ("10 - 7", Outcome.legal_prefix),
        ("10 - 7 = 3 , , 5 + 1 = 6", Outcome.illegal),
        (",", Outcome.illegal),
        ("10 - 7 = 3 , 5 + 1 = 6 , 3 * 6 = 18 ,", Outcome.illegal),
        ("10-7=3", Outcome.illegal),
        ("10 ** 7 = 3", Outcome.illegal),
        ("\uff11 + 5 = 6", Outcome.illegal),
        ("01 + 5 = 6", Outcome.illegal),
        ("1 + 5 = 6/1", Outcome.wrong_value),
        ("1 + 5 = 6/0", Outcome.illegal),
        ("", Outcome.no_formula),
        (" \n", Outcome.no_formula),
        (None, Outcome.no_formula),
    ],
)
def test_outcomes(text: str | None, outcome: Outcome) -> None:
    assert verify_steps(text, HAND, 18).outcome is outcome


def test_division_by_zero_is_illegal() -> None:
    assert verify_steps("3 - 3 = 0 , 8 / 0 = 8", FRACTIONS).outcome is Outcome.illegal


def test_the_faulty_step_is_named() -> None:
    message = verify_steps("10 - 7 = 3 , 5 + 1 = 7", HAND, 18).message
    assert message == "in step 2, 5 + 1 is 6, not '7'"


@pytest.mark.parametrize(
    "text",
    [
        "1 + " * 300_000,
        "9" * 1_000_000,
        "(" * 200_000,
        "," * 999,
        "9" * 999 + " + 1 = 2",
        "\x00",
        "\ud800",
        "1/0 + 1 = 1",
    ],
)
def test_hostile_texts_get_a_short_verdict(text: str) -> None:
    verdict = verify_steps(text, HAND, 18)
    assert verdict.outcome in (Outcome.illegal, Outcome.wrong_numbers)
    assert len(verdict.message) < 200
    assert verdict.message.encode()


@settings(deadline=None, max_examples=200)
@given(st.data(), st.lists(st.integers(1, 13), min_size=2, max_size=4))
def test_every_beginning_of_a_derivation_is_a_legal_prefix(data: st.DataObject, hand: list[int]) -> None:
    derivations = solve_steps(hand)
    if derivations:
        text = format_steps(data.draw(st.sampled_from(derivations)))
        for length in range(1, len(text)):
            verdict = verify_steps(text[:length], hand)
            assert verdict.outcome is Outcome.legal_prefix, (text[:length], verdict)


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="0135678 +-*/=,", max_size=30) | st.text(max_size=20))
def test_no_text_makes_it_raise(text: str) -> None:
    assert verify_steps(text, HAND, 18).message
