"""The grammar, its parser and exact evaluation."""

import contextlib
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card24_pipeline.game.errors import IllegalExpressionError
from card24_pipeline.game.expressions import (
    MAX_FORMULA_CHARS,
    evaluate_expression,
    parse_expression,
    trace_operations,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", Fraction(7)),
        ("8/(3-8/3)", Fraction(24)),
        ("1-2-3", Fraction(-4)),
        ("2/3/4*6", Fraction(1)),
        ("2+3*4", Fraction(14)),
        ("((2+3))*4", Fraction(20)),
        (" 2\t*\n( 3 +4 )\r=  14 ", Fraction(14)),
        ("0*5", Fraction(0)),
    ],
)
def test_values_are_exact(text: str, value: Fraction) -> None:
    assert evaluate_expression(parse_expression(text)) == value


def test_numbers_and_stated_target_are_kept() -> None:
    expression = parse_expression("10*(2+3)=24")
    assert expression.numbers == (10, 2, 3)
    assert expression.stated_target == 24
    assert parse_expression("1").stated_target is None


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "()", "(", ")", "1)", "(1", "1+", "+1", "-1", "1+-2", "1--2", "2(3)", "(2)(3)", "1 2", "1 0",
        "01", "00", "1+02", "1=", "=1", "1=1=1", "1=(1)", "1=1+1", "1=-1", "(1=1)", "1=01", "2**3", "2//3",
        "1.5", "1e3", "1_0", "x", "\u0663+\u0662", "\uff11", "\u00b2", "1\u00a0+2", "1\x00", "2^3", "abs(1)",
    ],
)  # fmt: skip
def test_other_texts_are_illegal(text: str) -> None:
    with pytest.raises(IllegalExpressionError):
        parse_expression(text)


def test_length_limit_is_exact() -> None:
    assert parse_expression("1" + " " * (MAX_FORMULA_CHARS - 1)).numbers == (1,)
    with pytest.raises(IllegalExpressionError, match="1001 characters long; at most 1000"):
        parse_expression("1" + " " * MAX_FORMULA_CHARS)


def test_division_by_zero_is_illegal() -> None:
    with pytest.raises(IllegalExpressionError, match="divides by zero"):
        evaluate_expression(parse_expression("5/(3-3)"))


def test_operations_come_left_to_right_innermost_first() -> None:
    traced = [f"{step.left}{step.operator}{step.right}" for step in trace_operations(parse_expression("(1+2)*(3-4)/5"))]
    assert traced == ["1+2", "3-4", "3*-1", "-3/5"]


@settings(deadline=None)
@given(st.text(alphabet="0123456789+-*/()= x", max_size=40))
def test_parser_only_ever_raises_its_own_error(text: str) -> None:
    with contextlib.suppress(IllegalExpressionError):
        assert parse_expression(text).numbers
