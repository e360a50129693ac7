"""Legal prefixes against every correct formula of small hands, redundant parentheses included."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card24_pipeline.game.expressions import tokenize
from card24_pipeline.game.prefixes import _can_finish, _collapse, _read_states, is_legal_prefix
from card24_pipeline.game.solver import solve

from .oracles import correct_prefixes, correct_texts

# Without three parentheses in a row, no text can require more than two pairs around one node.
MAX_WRAPS = 2
SMALL_HANDS = [
    ((1, 12), 12), ((2, 24), 12), ((1, 11, 2), 24), ((1, 1, 12), 24), ((3, 3, 8, 8), 24), ((2, 3), 24),
    ((3, 8, 1), 25), ((2, 2, 2), 1), ((1, 5, 5), 1),
]  # fmt: skip


@pytest.mark.parametrize(("hand", "target"), SMALL_HANDS)
def test_every_short_text_is_decided_as_by_enumeration(hand: tuple[int, ...], target: int) -> None:
    prefixes = correct_prefixes(tuple(sorted(hand)), target, MAX_WRAPS)
    alphabet = sorted({*"".join(map(str, hand)), *"+-*/()"})
    for length in range(1, 6):
        for letters in itertools.product(alphabet, repeat=length):
            text = "".join(letters)
            if "(((" not in text and ")))" not in text:
                assert is_legal_prefix(text, hand, target) == (text in prefixes), text


@settings(deadline=None, max_examples=300)
@given(st.data(), st.sampled_from([((1, 2, 11), 24), ((3, 3, 8, 8), 24), ((2, 2, 2), 1), ((1, 1, 12), 24)]))
def test_beginnings_with_one_change_are_decided_as_by_enumeration(
    data: st.DataObject, puzzle: tuple[tuple[int, ...], int]
) -> None:
    hand, target = puzzle
    whole = data.draw(st.sampled_from(sorted(correct_texts(hand, target, MAX_WRAPS))))
    text = whole[: data.draw(st.integers(1, len(whole)))]
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(text) - 1))
        text = text[:place] + data.draw(st.sampled_from("".join(map(str, hand)) + "+-*/()=")) + text[place + 1 :]
    if "(((" not in text and ")))" not in text:
        assert is_legal_prefix(text, hand, target) == (text in correct_prefixes(hand, target, MAX_WRAPS))


@settings(deadline=None, max_examples=100)
@given(st.data(), st.lists(st.integers(1, 13), min_size=4, max_size=4))
def test_every_beginning_of_a_solution_is_a_legal_prefix(data: st.DataObject, hand: list[int]) -> None:
    for text in solve(hand)[:3]:
        equation = f"{text}=24"
        nested = "(" * data.draw(st.integers(0, 30))
        for length in range(len(equation)):
            assert is_legal_prefix(equation[:length], hand)
            assert is_legal_prefix(nested + text[:length], hand)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True), ("(", True), ("1", True), ("10", True), ("1 ", True), ("10 ", True), ("0", False),
        ("01", False),
        ("10*(", True), ("3", False), ("1+1", True), ("1+1 ", False), ("10/1", False),
        ("-", False), (")", False), ("()", False), ("10(", False), ("=", False), ("1=", False),
    ],
)  # fmt: skip
def test_prefixes_of_1_2_10_making_21(text: str, expected: bool) -> None:
    assert is_legal_prefix(text, (1, 2, 10), 21) == expected


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ("", True), (" ", True), ("=", True), (" = ", True), ("=2", True), ("=2 ", False), ("=24", True),
        ("=240", False), ("=25", False), ("=4", False), ("=02", False), ("==", False), ("=2=", False),
        ("=+", False), ("=(", False),
    ],
)  # fmt: skip
def test_equals_may_follow_a_correct_formula_only(ending: str, expected: bool) -> None:
    assert is_legal_prefix(f"8/(3-8/3){ending}", (3, 3, 8, 8)) == expected
    assert not is_legal_prefix(f"8/(3+8/3){ending or '='}", (3, 3, 8, 8))


@settings(deadline=None, max_examples=400)
@given(st.data(), st.lists(st.integers(1, 13), min_size=4, max_size=4))
def test_dropping_empty_levels_changes_no_decision(data: st.DataObject, hand: list[int]) -> None:
    text = ""
    for number in hand[: data.draw(st.integers(1, 3))]:
        text += "(" * data.draw(st.integers(0, 4)) + str(number)
        text += ")" * min(text.count("(") - text.count(")"), data.draw(st.integers(0, 2)))
        text += data.draw(st.sampled_from("+-*/"))
    text = text[: -data.draw(st.integers(0, 1)) or None] + " "
    for state in _read_states(tokenize(text), tuple(sorted(hand)), False):
        assert _can_finish(state, 24) == _can_finish(_collapse(state), 24)


def test_hundreds_of_parentheses_decide_as_a_few() -> None:
    for hand in ((1, 2, 7, 13), (3, 3, 8, 8), (4, 7, 8, 8)):
        for rest in ("", "1", "8", "3", "7-", "8/(3-", "8/((3-8"):
            few, many = (is_legal_prefix("(" * count + rest, hand) for count in (6, 300))
            assert few == many


def test_unsolvable_hands_have_no_prefix() -> None:
    assert not any(is_legal_prefix(text, (1, 1, 1, 1)) for text in ("", "(", "1", "1+", "((1"))


def test_parts_that_divide_by_zero_cannot_be_saved() -> None:
    assert is_legal_prefix("5/(5", (1, 5, 5), 1)
    assert not is_legal_prefix("1/(5-5)", (1, 5, 5), 1)
