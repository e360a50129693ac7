"""Speed of the solver beside brute force on the same hands: `python -m benchmarks.bench_solver`."""

import itertools
import json
import operator
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from statistics import median

from card24_pipeline.game.solver import clear_caches, solve

ROUNDS = 5  # a round takes the solver a few hundredths of a second, so one alone can be a hiccup
SAMPLE_STRIDE = 91  # every 91st of the 1,820 hands: 20 hands, and brute force within a few seconds
TARGET = 24

Operator = Callable[[Fraction, Fraction], Fraction]
OPERATORS: tuple[Operator, ...] = (operator.add, operator.sub, operator.mul, operator.truediv)


def measure() -> dict[str, float]:
    """Time both on the same sample of hands, in turns, and the solver on all hands; take medians.

    The solver starts each time without cached work. Both find every solution, the solver each once.

    Returns:
        hands per second of each on the sample, their ratio, hands per second of the solver on all 1,820
        hands (where hands share cached parts), and how many hands the sample has.
    """
    hands = list(itertools.combinations_with_replacement(range(1, 14), 4))
    sample = hands[::SAMPLE_STRIDE]
    solver_rates, brute_rates = [], []
    for _ in range(ROUNDS):
        solver_rates.append(_hands_per_second(lambda hand: bool(solve(hand, TARGET)), sample))
        brute_rates.append(_hands_per_second(lambda hand: any(list(_brute_force(hand))), sample))
    solver_rate, brute_rate = median(solver_rates), median(brute_rates)
    return {
        "solve_hands_per_second": solver_rate,
        "brute_force_hands_per_second": brute_rate,
        "ratio": solver_rate / brute_rate,
        "solve_all_hands_per_second": _hands_per_second(lambda hand: bool(solve(hand, TARGET)), hands),
        "sample_hands": float(len(sample)),
    }


def _hands_per_second(search: Callable[[tuple[int, ...]], bool], hands: Sequence[tuple[int, ...]]) -> float:
    clear_caches()
    started = time.perf_counter()
    for hand in hands:
        search(hand)
    return len(hands) / (time.perf_counter() - started)


def _brute_force(hand: Sequence[int]) -> Iterator[bool]:
    """Yield whether the target is met for every permutation, three operators and five parenthesizations."""
    for a, b, c, d in itertools.permutations(map(Fraction, hand)):
        for f, g, h in itertools.product(OPERATORS, repeat=3):
            for shape in range(5):
                try:
                    yield _evaluate_shape(shape, (a, b, c, d), (f, g, h)) == TARGET
                except ZeroDivisionError:
                    yield False


def _evaluate_shape(
    shape: int, numbers: tuple[Fraction, Fraction, Fraction, Fraction], operators: tuple[Operator, ...]
) -> Fraction:
    (a, b, c, d), (f, g, h) = numbers, operators
    if shape == 0:
        return h(g(f(a, b), c), d)
    if shape == 1:
        return h(f(a, g(b, c)), d)
    if shape == 2:
        return g(f(a, b), h(c, d))
    if shape == 3:
        return f(a, h(g(b, c), d))
    return f(a, g(b, h(c, d)))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
