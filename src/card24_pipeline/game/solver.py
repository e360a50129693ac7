"""Every formula for a hand, written once, and the values that part of a hand can make; all exact.

Two formulas count as the same when they become the same tree after flattening: nested + and - merge
into one sum of terms, each added or subtracted; nested * and / into one product of factors, each
multiplied or divided by; the order of terms and factors does not count, nor do cards of equal value.
So a+b-c, a-c+b and a-(c-b) are one, and a*b/c, a/c*b and a/(c/b) are one. Everything else is distinct,
even where algebra would make it equal: 8*1 and 8/1; (a-b)*(c-d) and (b-a)*(d-c); x-(a-b)*c and
x+(b-a)*c; a*(b+c) and a*b+a*c. Over 1, 2, 3, 4 numbers without coincidences there are 1, 6, 68, 1,260
such trees, whatever their value.
"""

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

from card24_pipeline.game.errors import GameError

MAX_HAND_SIZE = 6

Number = int | Fraction
Multiset = tuple[Number, ...]  # sorted
_CACHE = 8192  # all multisets of up to four numbers on 1..13 are 2,379


def check_hand(values: Sequence[int], target: int) -> tuple[int, ...]:
    """Return the hand sorted, once it and the target are found sound.

    Raises:
        GameError: not 1 to 6 positive integers, or a target that is no positive integer.
    """
    hand = tuple(values)
    if not 1 <= len(hand) <= MAX_HAND_SIZE:
        raise GameError(f"the hand has {len(hand)} numbers; expected 1 to {MAX_HAND_SIZE}")
    for number in hand:
        if type(number) is not int or number < 1:
            raise GameError(f"the hand holds {number!r}; expected positive integers")
    if type(target) is not int or target < 1:
        raise GameError(f"the target is {target!r}; expected a positive integer")
    return tuple(sorted(hand))


def solve(values: Sequence[int], target: int = 24) -> tuple[str, ...]:
    """Return one canonical text for each distinct solution (see the module for what is the same).

    In a text, added terms come before subtracted ones and multiplied factors before divisors; within
    each, the larger value first, then alphabetical. There are no spaces and no needless parentheses.

    Args:
        values: the 1 to 6 numbers of the hand, positive, in any order.
        target: the value to reach, positive.

    Returns:
        The texts, shorter ones first, then alphabetical; empty for a hand without solution.

    Raises:
        GameError: a hand or target outside those bounds.
    """
    return _solve_sorted(check_hand(values, target), target)


def is_solvable(values: Sequence[int], target: int = 24) -> bool:
    """Say whether some formula over the hand makes the target; quicker than `solve`; GameError as there."""
    return can_make(check_hand(values, target), Fraction(target))


def divide(left: Number, right: Number) -> Number:
    """Divide exactly; whole results are integers here, whose arithmetic is many times quicker."""
    quotient = Fraction(left, right)
    return quotient.numerator if quotient.denominator == 1 else quotient


@lru_cache(maxsize=_CACHE)
def reach_numbers(values: Multiset) -> frozenset[Number]:
    """Return every value that formulas using all of a sorted multiset's numbers, each once, can have.

    Fractions and numbers below 1 are allowed; whole results are integers. Up to four numbers are quick.
    """
    if len(values) == 1:
        return frozenset(values)
    found: set[Number] = set()
    for left, right in _halves(values):
        for first, second in itertools.product(reach_numbers(left), reach_numbers(right)):
            found.update((first + second, first - second, second - first, first * second))
            if second:
                found.add(divide(first, second))
            if first:
                found.add(divide(second, first))
    return frozenset(found)


@lru_cache(maxsize=_CACHE)
def can_make(values: Multiset, wanted: Fraction) -> bool:
    """Say whether sorted numbers, fractions allowed, can make a value without listing all they make."""
    if len(values) == 1:
        return values[0] == wanted
    for left, right in _halves(values):
        others = reach_numbers(right)
        for value in reach_numbers(left):
            if wanted - value in others or value - wanted in others or wanted + value in others:
                return True
            if value and (wanted / value in others or wanted * value in others):
                return True
            if not value and not wanted:
                return True  # 0 * anything
            if wanted and value and value / wanted in others:
                return True
    return False


@lru_cache(maxsize=_CACHE)
def split_multiset(values: Multiset) -> tuple[tuple[Multiset, Multiset], ...]:
    """Return every distinct (part, rest) of a sorted multiset, the empty and the whole part included."""
    masks = itertools.product((0, 1), repeat=len(values))
    chosen = itertools.compress
    splits = ((tuple(chosen(values, mask)), tuple(chosen(values, (not taken for taken in mask)))) for mask in masks)
    return tuple(dict.fromkeys(splits))


def clear_caches() -> None:
    """Forget all solved hands, so that a benchmark measures work and not memory."""
    for cached in (can_make, split_multiset, _solve_sorted, reach_numbers, _halves, _partitions, _operands):
        cached.cache_clear()


@lru_cache(maxsize=_CACHE)
def _halves(values: Multiset) -> tuple[tuple[Multiset, Multiset], ...]:
    """Split into two non-empty parts, the smaller first, each unordered pair once."""
    return tuple(
        (part, rest)
        for part, rest in split_multiset(values)
        if part and rest and (len(part), part) <= (len(rest), rest)
    )


@lru_cache(maxsize=_CACHE)
def _solve_sorted(values: Multiset, target: int) -> tuple[str, ...]:
    wanted = Fraction(target)
    if len(values) == 1:
        return (str(target),) if values[0] == wanted else ()
    found = set(_join(values, "+", wanted)) | set(_join(values, "*", wanted))
    return tuple(sorted((text for _, text in found), key=lambda text: (len(text), text)))


@lru_cache(maxsize=_CACHE)
def _partitions(values: Multiset) -> tuple[tuple[Multiset, ...], ...]:
    """Cut a multiset into two or more blocks in every way, the largest block last."""
    found: set[tuple[Multiset, ...]] = set()
    for block, rest in split_multiset(values):
        if block and rest and block[0] == values[0]:
            for others in ((rest,), *_partitions(rest)):
                found.add(tuple(sorted((block, *others), key=lambda part: (len(part), part))))
    return tuple(sorted(found))


@lru_cache(maxsize=_CACHE)
def _operands(values: Multiset, joint: str) -> dict[Number, tuple[str, ...]]:
    """Map value to the texts that may stand beside `joint`: products, or sums in parentheses."""
    if len(values) == 1:
        return {values[0]: (str(values[0]),)}
    inner, frame = ("*", "{}") if joint == "+" else ("+", "({})")
    grouped: dict[Number, set[str]] = {}
    for value, text in _join(values, inner):
        grouped.setdefault(value, set()).add(frame.format(text))
    return {value: tuple(sorted(texts)) for value, texts in grouped.items()}


def _join(values: Multiset, joint: str, wanted: Fraction | None = None) -> Iterator[tuple[Number, str]]:
    """Yield (value, text) of every flat sum ("+") or product ("*") over the multiset, repeats possible.

    With a wanted value (not 0) the last block is looked up instead of enumerated.
    """
    for blocks in _partitions(values):
        tables = [_operands(block, joint) for block in blocks]
        heads_signs = itertools.product((False, True), repeat=len(blocks) - 1)
        for heads, signs in itertools.product(itertools.product(*tables[:-1]), heads_signs):
            partial = _fold(heads, signs, joint)
            if partial is None:
                continue
            for inverted in (False,) if all(signs) else (False, True):  # there is no unary minus or division
                lasts = tables[-1] if wanted is None else _missing(partial, inverted, joint, wanted)
                for last in lasts:
                    if last not in tables[-1]:
                        continue
                    value = _fold((partial, last), (False, inverted), joint) if wanted is None else wanted
                    if value is None:
                        continue
                    operands, all_signs = (*heads, last), (*signs, inverted)
                    choices = (table[operand] for table, operand in zip(tables, operands, strict=True))
                    for texts in itertools.product(*choices):
                        yield value, _write(operands, texts, all_signs, joint)


def _fold(operands: Sequence[Number], inverted: Sequence[bool], joint: str) -> Number | None:
    """Add or multiply operands, subtract or divide by inverted ones; None for a division by zero."""
    pairs = zip(operands, inverted, strict=True)
    if joint == "+":
        return sum([-value if minus else value for value, minus in pairs])
    above: Number = 1
    below: Number = 1
    for value, under in pairs:
        if under:
            below *= value
        else:
            above *= value
    return divide(above, below) if below else None


def _missing(partial: Number, inverted: bool, joint: str, wanted: Fraction) -> tuple[Fraction, ...]:
    """Return the last operand that brings `partial` to the wanted value, if there is one."""
    if joint == "+":
        return (partial - wanted if inverted else wanted - partial,)
    if not partial:
        return ()
    return (partial / wanted if inverted else wanted / partial,)


def _write(operands: Sequence[Number], texts: Sequence[str], inverted: Sequence[bool], joint: str) -> str:
    """Write a flat sum or product in canonical order."""
    inverse = "-" if joint == "+" else "/"
    ordered = sorted((under, -value, text) for value, text, under in zip(operands, texts, inverted, strict=True))
    return "".join(f"{inverse if under else joint}{text}" for under, _, text in ordered)[1:]
