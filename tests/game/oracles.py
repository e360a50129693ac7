"""Slow, independent statements of the game's rules, sharing no code with the package."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache

Tree = int | tuple["Tree", str, "Tree"]


def all_trees(order: Sequence[int]) -> Iterator[Tree]:
    """Yield every binary tree over numbers in this order: all parenthesizations, all operators."""
    if len(order) == 1:
        yield order[0]
    for cut in range(1, len(order)):
        for left, right in itertools.product(all_trees(order[:cut]), list(all_trees(order[cut:]))):
            for operator in "+-*/":
                yield (left, operator, right)


def tree_value(tree: Tree) -> Fraction | None:
    """Return a tree's value, None for a division by zero."""
    if isinstance(tree, int):
        return Fraction(tree)
    left, right = tree_value(tree[0]), tree_value(tree[2])
    if left is None or right is None or (tree[1] == "/" and right == 0):
        return None
    return {"+": left + right, "-": left - right, "*": left * right}.get(tree[1]) if tree[1] != "/" else left / right


def list_solvable(high: int) -> list[tuple[int, ...]]:
    """List the hands of four numbers up to a highest one that make 24, by trying everything."""
    hands = itertools.combinations_with_replacement(range(1, high + 1), 4)
    return [hand for hand in hands if brute_solvable(hand, 24)]


def brute_solvable(values: Sequence[int], target: int) -> bool:
    """Try every permutation, operator and parenthesization, on values alone."""
    for order in set(itertools.permutations(values)):
        for cut in range(1, len(order)):
            for (a, b), (c, d) in itertools.product(_ordered_values(order[:cut]), _ordered_values(order[cut:])):
                whole = target * b * d
                if whole in (a * d + b * c, a * d - b * c, a * c) or (c and a * d == target * b * c):
                    return True
    return False


def brute_values(values: tuple[int, ...]) -> set[Fraction]:
    """Return the values of all orders and parenthesizations."""
    orders = set(itertools.permutations(values))
    return {Fraction(*pair) for order in orders for pair in _ordered_values(order)}


@cache
def _ordered_values(order: tuple[int, ...]) -> frozenset[tuple[int, int]]:
    """Return (numerator, denominator), reduced, of every value of numbers in this order."""
    if len(order) == 1:
        return frozenset(((order[0], 1),))
    found: set[tuple[int, int]] = set()
    for cut in range(1, len(order)):
        for (a, b), (c, d) in itertools.product(_ordered_values(order[:cut]), _ordered_values(order[cut:])):
            found |= {(a * d + b * c, b * d), (a * d - b * c, b * d), (a * c, b * d)}
            if c:
                found.add((a * d, b * c))
    return frozenset(Fraction(*pair).as_integer_ratio() for pair in found)


def tree_texts(tree: Tree, max_wraps: int) -> list[str]:
    """Write a tree with up to max_wraps pairs of parentheses around each node, needed or not."""
    return [text for text, _ in _texts(tree, max_wraps)]


def _texts(tree: Tree, max_wraps: int) -> list[tuple[str, int]]:
    """Return (text, precedence): 3 for a number or group, 2 for a product, 1 for a sum."""
    if isinstance(tree, int):
        bare = [(str(tree), 3)]
    else:
        strength = 1 if tree[1] in "+-" else 2
        lefts = [text for text, power in _texts(tree[0], max_wraps) if power >= strength]
        rights = [text for text, power in _texts(tree[2], max_wraps) if power > strength]
        bare = [(left + tree[1] + right, strength) for left in lefts for right in rights]
    wrapped = [("(" * count + text + ")" * count, 3) for text, _ in bare for count in range(1, max_wraps + 1)]
    return bare + wrapped


@cache
def correct_texts(values: tuple[int, ...], target: int, max_wraps: int) -> frozenset[str]:
    """Return every correct formula without spaces, with at most max_wraps pairs around one node."""
    found: set[str] = set()
    for order in set(itertools.permutations(values)):
        for tree in all_trees(order):
            if tree_value(tree) == target:
                found.update(tree_texts(tree, max_wraps))
    return frozenset(found)


@cache
def correct_prefixes(values: tuple[int, ...], target: int, max_wraps: int) -> frozenset[str]:
    """Return every proper beginning of those formulas, or of one followed by "=" and the target."""
    whole = (f"{text}={target}" for text in correct_texts(values, target, max_wraps))
    return frozenset(text[:length] for text in whole for length in range(1, len(text)))


class Reader:
    """A recursive-descent reader that evaluates as it goes."""

    def __init__(self, text: str) -> None:
        """Cut the text into tokens; what is no token stays as one wrong character."""
        self.tokens = re.findall(r"[0-9]+|[^ \t\n\r\f\v]", text)
        self.place = 0
        self.numbers: list[int] = []
        self.by_zero = False

    def peek(self) -> str:
        """Return the next token, empty at the end."""
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        """Return and pass the next token if it is wanted, else nothing."""
        token = self.peek()
        if token not in wanted:
            return ""
        self.place += 1
        return token

    def number(self) -> int:
        """Read a number."""
        token = self.peek()
        if not re.fullmatch("0|[1-9][0-9]*", token):
            raise SyntaxError(token)
        self.place += 1
        return int(token)

    def factor(self) -> Fraction:
        """Read a number or a group."""
        if self.take("("):
            value = self.expression()
            if not self.take(")"):
                raise SyntaxError(self.peek())
            return value
        self.numbers.append(self.number())
        return Fraction(self.numbers[-1])

    def term(self) -> Fraction:
        """Read a product."""
        value = self.factor()
        while operator := self.take("*", "/"):
            other = self.factor()
            if operator == "*":
                value *= other
            elif other:
                value /= other
            else:
                self.by_zero = True
        return value

    def expression(self) -> Fraction:
        """Read a sum."""
        value = self.term()
        while operator := self.take("+", "-"):
            other = self.term()
            value = value + other if operator == "+" else value - other
        return value


def judge(text: str, values: Sequence[int], target: int) -> str:
    """Name the outcome of a text, legal prefixes aside."""
    if not text.strip():
        return "no_formula"
    reader = Reader(text)
    try:
        value = reader.expression()
        stated = reader.number() if reader.take("=") else target
        if reader.peek():
            raise SyntaxError(reader.peek())
    except SyntaxError:
        return "illegal"
    if Counter(reader.numbers) != Counter(values):
        return "wrong_numbers"
    if reader.by_zero:
        return "illegal"
    return "correct" if value == target and stated == target else "wrong_value"
