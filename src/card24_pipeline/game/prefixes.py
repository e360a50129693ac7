"""Decide whether a text can still grow into a correct formula.

The text is read up to its end into open parenthesis levels. A level that waits for an operand x will be
worth total + scale * x, or total + scale / x; one that has its operand is worth total + term, and can
grow by "* …", "/ …", "+ …" and "- …". Whatever may be written next in parentheses over some of the
remaining numbers has one of `reach_numbers` of those numbers, so the search runs over values and never
over texts.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from card24_pipeline.game.errors import IllegalExpressionError
from card24_pipeline.game.expressions import Token, evaluate_expression, parse_expression, tokenize
from card24_pipeline.game.solver import Multiset, Number, can_make, check_hand, divide, reach_numbers, split_multiset

_CACHE = 8192


class _Waiting(NamedTuple):
    """A level that waits for an operand x: total + scale * x, or total + scale / x."""

    total: Number
    scale: Number
    divides: bool


class _Level(NamedTuple):
    """A level that has its operand: worth total + term if it ends here."""

    total: Number
    term: Number


_EMPTY = _Waiting(0, 1, False)


class _State(NamedTuple):
    """A text read so far: waiting levels, outermost first; the innermost level if complete; numbers left."""

    waiting: tuple[_Waiting, ...]
    level: _Level | None
    left: Multiset


def is_legal_prefix(text: str, values: Sequence[int], target: int = 24) -> bool:
    """Say whether some correct formula of the grammar starts with this text.

    The formula may hold redundant parentheses, may extend a number at the end of the text, and may be of
    any length: the limit on length applies to the texts that are read, not to the grammar. A correct
    formula counts, as "=" may follow. The answer is exact; milliseconds for four numbers.

    Raises:
        GameError: a hand or target that `solve` rejects too.
    """
    hand = check_hand(values, target)
    try:
        tokens = tokenize(text)
    except IllegalExpressionError:
        return False
    if not tokens:
        return can_make(hand, Fraction(target))
    if any(token.text == "=" for token in tokens):
        return _starts_equation(text, hand, target)
    return any(_can_finish(_collapse(state), target) for state in _read_states(tokens, hand, text[-1:].isdigit()))


def _starts_equation(text: str, hand: Multiset, target: int) -> bool:
    """Decide for texts with an equals sign: a correct formula must stand before it."""
    formula, _, stated = text.partition("=")
    try:
        expression = parse_expression(formula)
        is_correct = tuple(sorted(expression.numbers)) == hand and evaluate_expression(expression) == target
    except IllegalExpressionError:
        return False
    digits = stated.strip()
    return is_correct and (not digits or digits == str(target) or str(target).startswith(stated.lstrip()))


def _read_states(tokens: Sequence[Token], hand: Multiset, ends_in_digit: bool) -> Iterator[_State]:
    """Read the tokens, the last number as itself and as each number of the hand that it may grow into."""
    last = tokens[-1].text
    endings = {str(number) for number in hand if str(number).startswith(last)} if ends_in_digit else {last}
    words = [token.text for token in tokens[:-1]]
    states = (_read([*words, ending], hand) for ending in sorted(endings))
    return (state for state in states if state is not None)


def _read(words: Sequence[str], hand: Multiset) -> _State | None:
    """Fold words into levels; None once no correct formula can start so."""
    waiting, left = [_EMPTY], list(hand)
    level: _Level | None = None
    for word in words:
        operand: Number | None = None
        if level is None and word == "(":
            waiting.append(_EMPTY)
        elif level is None:
            operand = next((number for number in left if str(number) == word), None)
            if operand is None:
                return None
            left.remove(operand)
        elif word == ")" and waiting:
            operand = level.total + level.term
        elif word in ("+", "-"):
            waiting.append(_Waiting(level.total + level.term, 1 if word == "+" else -1, False))
            level = None
        elif word in ("*", "/"):
            waiting.append(_Waiting(level.total, level.term, word == "/"))
            level = None
        else:
            return None
        if operand is not None:
            level = _fill(waiting.pop(), operand)
            if level is None:
                return None  # a finished part divides by zero
    return _State(tuple(waiting), level, tuple(left))


def _fill(waiting: _Waiting, operand: Number) -> _Level | None:
    """Give a waiting level its operand; None for a division by zero."""
    if not waiting.divides:
        return _Level(waiting.total, waiting.scale * operand)
    return _Level(waiting.total, divide(waiting.scale, operand)) if operand else None


def _collapse(state: _State) -> _State:
    """Drop empty levels that cannot matter, so that runs of parentheses cost nothing.

    Empty levels at the end add nothing, as the next operand is any expression anyway. Elsewhere each level
    of a run multiplies what it holds and then adds to it. Only alternation counts, as two neighbouring
    multiplications or additions are one; so j levels matter only if they multiply j times and add in
    between, which takes 2j - 1 of the numbers left. If the level within the run has nothing before its
    term, it can do the first multiplication itself, and must add before another counts: 2j numbers.
    """
    waiting = list(state.waiting)
    while state.level is None and len(waiting) > 1 and waiting[-1] == _EMPTY:
        waiting.pop()
    inner: _Waiting | _Level = waiting.pop() if state.level is None else state.level
    kept = [] if isinstance(inner, _Level) else [inner]  # from the inside outwards
    run_length = 0
    for level in reversed(waiting):
        run_length = run_length + 1 if level == _EMPTY else 0
        inner = level if level != _EMPTY else inner
        if 2 * run_length - (inner.total != 0) <= len(state.left):
            kept.append(level)
    return state._replace(waiting=tuple(reversed(kept)))


@lru_cache(maxsize=_CACHE)
def _can_finish(state: _State, target: int) -> bool:
    """Search over all ways to end the innermost level with some of the numbers left, then outwards."""
    waiting, level, left = state
    if level is not None:
        return _search(state, target)
    outer, innermost = waiting[:-1], waiting[-1]
    if not outer and innermost == _EMPTY:
        return bool(left) and can_make(left, Fraction(target))
    return any(
        _search(_State(outer, _fill(innermost, operand), rest), target)
        for part, rest in split_multiset(left)
        if part
        for operand in reach_numbers(part)
    )


def _search(state: _State, target: int) -> bool:
    waiting, level, left = state
    if level is None:
        return False
    if not waiting:
        return _can_close(level, left, target)
    outer, innermost = waiting[:-1], waiting[-1]
    return any(_search(_State(outer, _fill(innermost, value), rest), target) for value, rest in _endings(level, left))


@lru_cache(maxsize=_CACHE)
def _endings(level: _Level, left: Multiset) -> frozenset[tuple[Number, Multiset]]:
    """Return every (value, numbers left) with which a level can end."""
    found: set[tuple[Number, Multiset]] = set()
    for part, rest in split_multiset(left):
        for multiplied, added in split_multiset(part):
            for multiplier in _multipliers(multiplied):
                value = level.total + level.term * multiplier
                found.update((value + addend, rest) for addend in _addends(added))
    return frozenset(found)


def _can_close(level: _Level, left: Multiset, target: int) -> bool:
    """Say whether the outermost level can end at the target with all numbers used."""
    for multiplied, added in split_multiset(left):
        if not added and level.term:
            if divide(target - level.total, level.term) in _multipliers(multiplied):
                return True
            continue
        addends = _addends(added)
        for multiplier in _multipliers(multiplied):
            if target - level.total - level.term * multiplier in addends:
                return True
    return False


@lru_cache(maxsize=_CACHE)
def _multipliers(values: Multiset) -> frozenset[Number]:
    """Return what "* …" and "/ …" over all the numbers can multiply a term by."""
    if not values:
        return frozenset((1,))
    reached = reach_numbers(values)
    return reached | {divide(1, value) for value in reached if value}


@lru_cache(maxsize=_CACHE)
def _addends(values: Multiset) -> frozenset[Number]:
    """Return what "+ …" and "- …" over all the numbers can add to a level."""
    if not values:
        return frozenset((0,))
    reached = reach_numbers(values)
    return reached | {-value for value in reached}
