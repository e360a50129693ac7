"""Judge a formula against a hand: parsed, never executed; exact; no text makes it raise."""

from collections import Counter
from collections.abc import Iterable, Sequence

from card24_pipeline.game.errors import IllegalExpressionError
from card24_pipeline.game.expressions import Expression, evaluate_expression, parse_expression
from card24_pipeline.game.prefixes import is_legal_prefix
from card24_pipeline.game.solver import check_hand
from card24_pipeline.game.verdicts import Outcome, Verdict


def verify(formula: str | None, values: Sequence[int], target: int = 24) -> Verdict:
    """Judge a formula.

    The first of these that holds is the outcome:

    - no_formula: None, or nothing but white space;
    - correct: of the grammar of `expressions`, every number of the hand once, the target's value, and
      the target after "=" if there is one;
    - legal_prefix: a proper beginning, as text, of some correct formula (see `prefixes`);
    - illegal: not of the grammar, or longer than MAX_FORMULA_CHARS;
    - wrong_numbers: other numbers than the hand's (such a formula is not evaluated, so that one which
      also divides by zero is here);
    - illegal: divides by zero;
    - wrong_value: another value, or another number after "=".

    Raises:
        GameError: a hand or target that `solve` rejects too; never for a text.
    """
    hand = check_hand(values, target)
    if formula is None or not formula.strip():
        return Verdict(Outcome.no_formula, "there is no formula in your answer")
    try:
        verdict = _judge_numbers(parse_expression(formula), hand, target)
    except IllegalExpressionError as error:
        verdict = Verdict(Outcome.illegal, f"your formula is not legal: {error}")
    if not verdict.is_correct and is_legal_prefix(formula, hand, target):
        message = "your formula starts well but is not finished: a correct one could continue it"
        return Verdict(Outcome.legal_prefix, message)
    return verdict


def _judge_numbers(expression: Expression, hand: tuple[int, ...], target: int) -> Verdict:
    """Judge a well-formed expression."""
    used = Counter(expression.numbers)
    if used != Counter(hand):
        unused, foreign = Counter(hand) - used, used - Counter(hand)
        faults = [f"leaves out {_list_briefly(unused.elements())}"] if unused else []
        faults += [f"uses {_list_briefly(foreign.elements())} beyond the cards"] if foreign else []
        return Verdict(Outcome.wrong_numbers, f"your formula {' and '.join(faults)}; each number is used once")
    value = evaluate_expression(expression)
    if value != target:
        return Verdict(Outcome.wrong_value, f"your formula equals {value}, not {target}")
    stated = expression.stated_target
    if stated is not None and stated != target:
        return Verdict(Outcome.wrong_value, f"your formula says it equals {_list_briefly([stated])}, not {target}")
    return Verdict(Outcome.correct, f"your formula equals {target}")


def _list_briefly(numbers: Iterable[int]) -> str:
    """Write a few numbers, however large."""
    ordered = sorted(numbers)
    shown = [str(number) if number < 10**9 else f"{str(number)[:9]}…" for number in ordered[:6]]
    return ", ".join(shown) + (" …" if len(ordered) > 6 else "")
