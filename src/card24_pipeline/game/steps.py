"""Solutions told step by step, `10 - 7 = 3 , 5 + 1 = 6 , 3 * 6 = 18`, and their verifier.

A number has one spelling: an integer, with a minus sign if negative, or a reduced fraction such as 8/3 or
-1/2, always one word. Words of a step are separated by white space, steps by commas.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

from card24_pipeline.game.errors import IllegalExpressionError
from card24_pipeline.game.expressions import (
    MAX_FORMULA_CHARS,
    PRECEDENCE,
    Operation,
    apply_operator,
    parse_expression,
    trace_operations,
)
from card24_pipeline.game.solver import can_make, check_hand, solve
from card24_pipeline.game.verdicts import Outcome, Verdict, quote_briefly

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(/[1-9][0-9]*)?")
_UNFINISHED = Verdict(Outcome.legal_prefix, "your steps start well but are not finished: the rest could still be done")


def solve_steps(values: Sequence[int], target: int = 24) -> tuple[tuple[Operation, ...], ...]:
    """Return the derivation of each formula of `solve`, in its order.

    A formula is carried out left to right, innermost first. Formulas that differ only in which of two
    equal numbers came from where, as (2+2)/4 and 4/(2+2), have the same steps; these appear once.
    GameError as `solve`.
    """
    return _derive_all(check_hand(values, target), target)


def format_steps(steps: Sequence[Operation]) -> str:
    """Write steps as text, every word separated by one space."""
    return " , ".join(f"{step.left} {step.operator} {step.right} = {step.result}" for step in steps)


def verify_steps(text: str | None, values: Sequence[int], target: int = 24) -> Verdict:
    """Judge a derivation step by step; the first fault decides.

    - no_formula: None, or nothing but white space.
    - illegal: longer than MAX_FORMULA_CHARS, a step that is not `left operator right = result`, or a
      division by zero.
    - wrong_numbers: a step uses a number that is not at hand, or the text ends with several numbers that
      can no longer make the target.
    - wrong_value: a step's arithmetic is false, or all steps hold and leave one number, not the target.
    - legal_prefix: all whole steps hold, and the text ends there (a comma may follow), or within a step
      that could be completed (its last word may be unfinished unless white space follows), in such a way
      that the numbers left can make the target.
    - correct: all steps hold, and leave the target only.

    Raises:
        GameError: a hand or target that `solve` rejects too; never for a text.
    """
    at_hand: list[Fraction] = [Fraction(number) for number in check_hand(values, target)]
    if text is None or not text.strip():
        return Verdict(Outcome.no_formula, "there are no steps in your answer")
    if len(text) > MAX_FORMULA_CHARS:
        return _illegal(f"they are {len(text)} characters long; at most {MAX_FORMULA_CHARS} are read")
    segments = text.split(",")
    for place, segment in enumerate(segments, start=1):
        is_last = place == len(segments)
        if is_last and place > 1 and len(at_hand) > 1 and not segment.strip():
            break  # a comma after sound steps
        fault = _take_step(segment.split(), place, at_hand)
        if fault is not None:
            return _UNFINISHED if is_last and _can_complete(segment, at_hand, target) else fault
    return _judge_left(at_hand, target)


def _take_step(words: list[str], place: int, at_hand: list[Fraction]) -> Verdict | None:
    """Replace the operands of a step by its result; return a verdict if the step does not hold."""
    is_step = len(words) == 5 and words[1] in PRECEDENCE and words[3] == "="
    if not is_step or not all(_NUMBER.fullmatch(word) for word in words[::2]):
        return _illegal(f"step {place} is not of the form 'left operator right = result'")
    remaining = list(at_hand)
    operands: list[Fraction] = []
    for word in (words[0], words[2]):
        number = next((number for number in remaining if str(number) == word), None)
        if number is None:
            return Verdict(Outcome.wrong_numbers, f"step {place} uses {quote_briefly(word)}, which is not at hand then")
        remaining.remove(number)
        operands.append(number)
    try:
        result = apply_operator(operands[0], words[1], operands[1])
    except IllegalExpressionError as error:
        return _illegal(f"in step {place}, {error}")
    if str(result) != words[4]:
        message = f"in step {place}, {' '.join(words[:3])} is {result}, not {quote_briefly(words[4])}"
        return Verdict(Outcome.wrong_value, message)
    at_hand[:] = [*remaining, result]
    return None


def _can_complete(segment: str, at_hand: Sequence[Fraction], target: int) -> bool:
    """Say whether an unfinished step is the beginning of one after which the target can be made."""
    if not segment:
        return False
    begun = " ".join(segment.split()) + (" " if segment[-1].isspace() else "")
    return any(
        format_steps((step,)).startswith(begun) and can_make(left, Fraction(target))
        for step, left in _next_steps(at_hand)
    )


def _next_steps(at_hand: Sequence[Fraction]) -> Iterator[tuple[Operation, tuple[Fraction, ...]]]:
    """Yield every legal next step with the numbers, sorted, that it leaves."""
    for first, second in itertools.permutations(range(len(at_hand)), 2):
        left, right = at_hand[first], at_hand[second]
        others = [number for place, number in enumerate(at_hand) if place not in (first, second)]
        for op in PRECEDENCE:
            if op != "/" or right:
                result = apply_operator(left, op, right)
                yield Operation(left, op, right, result), tuple(sorted((*others, result)))


def _judge_left(at_hand: Sequence[Fraction], target: int) -> Verdict:
    """Judge what sound steps have left."""
    if len(at_hand) == 1:
        if at_hand[0] == target:
            return Verdict(Outcome.correct, f"your steps lead to {target}")
        return Verdict(Outcome.wrong_value, f"your steps lead to {at_hand[0]}, not {target}")
    if can_make(tuple(sorted(at_hand)), Fraction(target)):
        return _UNFINISHED
    left = ", ".join(str(number) for number in at_hand)
    return Verdict(Outcome.wrong_numbers, f"your steps leave {left}, which cannot make {target} any more")


def _illegal(reason: str) -> Verdict:
    return Verdict(Outcome.illegal, f"your steps are not legal: {reason}")


@lru_cache(maxsize=8192)
def _derive_all(hand: tuple[int, ...], target: int) -> tuple[tuple[Operation, ...], ...]:
    derivations = (tuple(trace_operations(parse_expression(text))) for text in solve(hand, target))
    return tuple(dict.fromkeys(derivations))
