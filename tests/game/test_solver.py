"""The solver against brute force, known counts, and its own definition of what is the same."""

import itertools
from collections.abc import Iterator
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card24_pipeline.game import solver
from card24_pipeline.game.solver import is_solvable, reach_numbers, solve
from card24_pipeline.game.verdicts import Outcome
from card24_pipeline.game.verifier import verify

from .oracles import Tree, all_trees, brute_solvable, brute_values, tree_value

ALL_HANDS = tuple(itertools.combinations_with_replacement(range(1, 14), 4))


def test_known_counts() -> None:
    solvable = [hand for hand in ALL_HANDS if is_solvable(hand)]
    assert len(ALL_HANDS) == 1820
    assert len(solvable) == 1362
    assert sum(max(hand) <= 10 for hand in solvable) == 566
    assert sum(max(hand) > 10 for hand in solvable) == 796


def test_every_formula_of_every_hand_is_correct_and_distinct() -> None:
    solved = {hand: solve(hand) for hand in ALL_HANDS}
    assert sum(map(bool, solved.values())) == 1362
    for hand, texts in solved.items():
        assert len(set(texts)) == len(texts)
        assert all(verify(text, hand).outcome is Outcome.correct for text in texts)


def test_solvability_agrees_with_brute_force_on_every_hand() -> None:
    for hand in ALL_HANDS:
        assert is_solvable(hand) == bool(solve(hand)) == brute_solvable(hand, 24), hand


@pytest.mark.parametrize(
    ("hand", "texts"),
    [
        ((3, 3, 8, 8), ("8/(3-8/3)",)),
        ((1, 1, 1, 1), ()),
        ((24,), ("24",)),
        ((5, 29), ("29-5",)),
        ((1, 24), ("1*24", "24*1", "24/1")),
    ],
)
def test_small_hands(hand: tuple[int, ...], texts: tuple[str, ...]) -> None:
    expected = tuple(text for text in texts if text != "1*24")  # larger factors come first
    assert solve(hand) == expected


def test_order_of_the_hand_does_not_matter() -> None:
    assert len({solve(order) for order in itertools.permutations((4, 7, 8, 12))}) == 1


def test_order_is_by_length_then_alphabet() -> None:
    texts = solve((1, 5, 7, 11))
    assert texts == tuple(sorted(texts, key=lambda text: (len(text), text)))


def _flatten(tree: Tree) -> object:
    """Return a tree's class: nested sums and nested products merged, order of operands forgotten."""
    if isinstance(tree, int):
        return tree
    operator = tree[1]
    joint, inverse = ("+", "-") if operator in "+-" else ("*", "/")
    parts: list[tuple[bool, object]] = []
    for side, inverted in ((tree[0], False), (tree[2], operator == inverse)):
        flat = _flatten(side)
        if isinstance(flat, tuple) and flat[0] == joint:
            parts += [(inverted != under, part) for under, part in flat[1]]
        else:
            parts.append((inverted, flat))
    return joint, tuple(sorted(parts, key=repr))


@cache
def _flat_trees(hand: tuple[int, ...]) -> dict[object, Fraction | None]:
    found: dict[object, Fraction | None] = {}
    for order in set(itertools.permutations(hand)):
        for tree in all_trees(order):
            flat, value = _flatten(tree), tree_value(tree)
            if found.get(flat) is None:  # a*c/b may divide by zero when written a/(b/c)
                found[flat] = value
    return found


@pytest.mark.parametrize(
    "hand", [(2, 3, 8), (4, 4, 4), (1, 5, 5), (1, 3, 4, 6), (3, 3, 8, 8), (2, 2, 2, 3), (4, 4, 10, 10)]
)
def test_number_of_formulas_agrees_with_flattened_brute_force(hand: tuple[int, ...]) -> None:
    for target in (1, 2, 7, 24):
        assert len(solve(hand, target)) == sum(value == target for value in _flat_trees(hand).values())


def test_number_of_all_trees_agrees_with_counting() -> None:
    """Blocks of a set partition, each added or subtracted but not all subtracted; products likewise."""
    numbers = (101, 211, 307, 401)
    counted = {size: _count_trees(size) for size in (2, 3, 4)}
    assert counted == {2: 6, 3: 68, 4: 1260}
    for size, count in counted.items():
        texts = {text for joint in "+*" for _, text in solver._join(numbers[:size], joint)}
        assert len(texts) == count


def _count_trees(size: int) -> int:
    of_kind = {1: 1}
    for total in range(2, size + 1):
        of_kind[total] = sum(
            (2 ** len(blocks) - 1) * _product(of_kind[len(block)] for block in blocks)
            for blocks in _set_partitions(list(range(total)))
            if len(blocks) > 1
        )
    return 2 * of_kind[size]


def _product(factors: Iterator[int]) -> int:
    result = 1
    for factor in factors:
        result *= factor
    return result


def _set_partitions(items: list[int]) -> Iterator[list[list[int]]]:
    if not items:
        yield []
        return
    for smaller in _set_partitions(items[1:]):
        yield [[items[0]], *smaller]
        for place, block in enumerate(smaller):
            yield [*smaller[:place], [items[0], *block], *smaller[place + 1 :]]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=4))
def test_reached_numbers_agree_with_brute_force(values: list[int]) -> None:
    expected = brute_values(tuple(sorted(values)))
    assert reach_numbers(tuple(sorted(values))) == expected
    for target in (1, 2, 3, 24, 97):
        assert is_solvable(values, target) == (target in expected)
        assert bool(solve(values, target)) == (target in expected)


def test_reached_numbers_take_fractions() -> None:
    assert reach_numbers((Fraction(8, 3), 3)) == {
        Fraction(17, 3), Fraction(1, 3), Fraction(-1, 3), Fraction(8), Fraction(8, 9), Fraction(9, 8)
    }  # fmt: skip


def test_five_and_six_numbers_work() -> None:
    assert solve((1, 1, 1, 1, 20))
    assert is_solvable((1, 1, 1, 1, 1, 19))
    assert all(verify(text, (1, 1, 1, 1, 20)).is_correct for text in solve((1, 1, 1, 1, 20)))


@pytest.mark.parametrize("hand", [(), (1,) * 7, (0, 1), (-1, 2), (1.0, 2), (True, 2), ("1", 2)])
def test_bad_hands_are_refused(hand: tuple[int, ...]) -> None:
    for function in (solve, is_solvable):
        with pytest.raises(ValueError, match=r"the hand .*expected"):
            function(hand)


@pytest.mark.parametrize("target", [0, -24, 24.0, "24", True])
def test_bad_targets_are_refused(target: int) -> None:
    with pytest.raises(ValueError, match=r"the target is .*expected a positive integer"):
        solve((1, 2), target)
