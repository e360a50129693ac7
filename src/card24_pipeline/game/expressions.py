"""Exact arithmetic texts: a grammar, an iterative parser, rational evaluation; nothing is ever executed.

    equation   = expression [ "=" number ]
    expression = term { ("+" | "-") term }
    term       = factor { ("*" | "/") factor }
    factor     = number | "(" expression ")"
    number     = "0" | one of 1-9 followed by digits 0-9 (ASCII)

There are no unary signs. ASCII white space may stand between tokens, before and after.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import add, mul, sub, truediv
from typing import NamedTuple

from card24_pipeline.game.errors import IllegalExpressionError

MAX_FORMULA_CHARS = 1000
"""Longer texts are illegal unread, so that no text costs more than a bounded scan."""

PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}

_FUNCTIONS = {"+": add, "-": sub, "*": mul, "/": truediv}

_SPACE_OR_TOKEN = re.compile(r"[ \t\n\r\f\v]+|[0-9]+|[-+*/()=]")


class Token(NamedTuple):
    """A number, operator, parenthesis or equals sign, and where it starts in the text."""

    text: str
    start: int


class Operation(NamedTuple):
    """One operation on two numbers, which its result replaces."""

    left: Fraction
    operator: str
    right: Fraction
    result: Fraction


@dataclass(frozen=True)
class Expression:
    """A parsed text: its numbers and operators in postfix order, and the number after "=", if any."""

    postfix: tuple[int | str, ...]
    stated_target: int | None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the expression, as written from left to right."""
        return tuple(item for item in self.postfix if isinstance(item, int))


def tokenize(text: str) -> tuple[Token, ...]:
    """Cut a text into tokens; order and balance are not checked here.

    Raises:
        IllegalExpressionError: the text exceeds MAX_FORMULA_CHARS, holds a character outside the
            grammar, or a number with a leading zero.
    """
    if len(text) > MAX_FORMULA_CHARS:
        raise IllegalExpressionError(f"it is {len(text)} characters long; at most {MAX_FORMULA_CHARS} are read")
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _SPACE_OR_TOKEN.match(text, position)
        if match is None:
            raise IllegalExpressionError(
                f"character {text[position]!a} at position {position + 1} is none of the digits 0-9, + - * / ( ) or ="
            )
        word = match.group()
        if word.isdigit() and len(word) > 1 and word[0] == "0":
            raise IllegalExpressionError(f"the number at position {position + 1} starts with a zero")
        if not word.isspace():
            tokens.append(Token(word, position))
        position = match.end()
    return tuple(tokens)


def parse_expression(text: str) -> Expression:
    """Parse a text of the grammar above, without recursion and without arithmetic.

    Raises:
        IllegalExpressionError: the text is not of the grammar; the message says where and why.
    """
    tokens = tokenize(text)
    equals = next((index for index, token in enumerate(tokens) if token.text == "="), len(tokens))
    postfix = _order_postfix(tokens[:equals])
    if equals == len(tokens):
        return Expression(postfix, None)
    after = tokens[equals + 1 :]
    if len(after) != 1 or not after[0].text.isdigit():
        raise IllegalExpressionError("the equals sign is not followed by exactly one whole number")
    return Expression(postfix, int(after[0].text))


def trace_operations(expression: Expression) -> Iterator[Operation]:
    """Evaluate exactly, yielding each operation in order: left to right, innermost first.

    The cost grows with the size of the numbers, so callers compare `numbers` with the hand first.

    Raises:
        IllegalExpressionError: an operation divides by zero.
    """
    stack: list[Fraction] = []
    for item in expression.postfix:
        if isinstance(item, int):
            stack.append(Fraction(item))
            continue
        right, left = stack.pop(), stack.pop()
        stack.append(apply_operator(left, item, right))
        yield Operation(left, item, right, stack[-1])


def evaluate_expression(expression: Expression) -> Fraction:
    """Return the exact value of an expression; IllegalExpressionError as `trace_operations`."""
    value = Fraction(expression.numbers[0])
    for operation in trace_operations(expression):
        value = operation.result
    return value


def apply_operator(left: Fraction, operator: str, right: Fraction) -> Fraction:
    """Return `left operator right`, exactly.

    Raises:
        IllegalExpressionError: division by zero, or an operator that is none of + - * /.
    """
    if operator not in _FUNCTIONS:
        raise IllegalExpressionError(f"unknown operator {operator!r}; expected one of + - * /")
    try:
        return _FUNCTIONS[operator](left, right)
    except ZeroDivisionError:
        raise IllegalExpressionError("it divides by zero") from None


def _order_postfix(tokens: Sequence[Token]) -> tuple[int | str, ...]:
    """Reorder infix tokens by Dijkstra's shunting-yard method."""
    output: list[int | str] = []
    waiting: list[str] = []
    wants_operand = True
    for token in tokens:
        if wants_operand:
            if token.text.isdigit():
                output.append(int(token.text))
                wants_operand = False
            elif token.text == "(":
                waiting.append("(")
            else:
                raise IllegalExpressionError(f"a number or ( is expected at position {token.start + 1}")
        elif token.text == ")":
            while waiting and waiting[-1] != "(":
                output.append(waiting.pop())
            if not waiting:
                raise IllegalExpressionError(f"the ) at position {token.start + 1} closes nothing")
            waiting.pop()
        elif token.text in PRECEDENCE:
            while waiting and PRECEDENCE.get(waiting[-1], 0) >= PRECEDENCE[token.text]:
                output.append(waiting.pop())
            waiting.append(token.text)
            wants_operand = True
        else:
            raise IllegalExpressionError(f"an operator or ) is expected at position {token.start + 1}")
    if wants_operand:
        raise IllegalExpressionError("it stops where a number is expected")
    if "(" in waiting:
        raise IllegalExpressionError("a parenthesis is never closed")
    return (*output, *reversed(waiting))
