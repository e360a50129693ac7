"""Which of a hand's solutions a training example tells."""

import random
from collections.abc import Sequence
from functools import lru_cache

from card24_pipeline.game.prompts import AnswerStyle
from card24_pipeline.game.solver import solve
from card24_pipeline.game.steps import format_steps, solve_steps


def choose_solutions(values: Sequence[int], target: int = 24, *, style: AnswerStyle, limit: int) -> tuple[str, ...]:
    """Return up to `limit` of a hand's solutions as text, the same ones at every call.

    Solutions that stay within non-negative whole numbers come first, as people write them; within either kind the
    choice is random, drawn by the hand itself. GameError as `solve`.
    """
    return _choose(tuple(sorted(values)), target, AnswerStyle(style), limit)


@lru_cache(maxsize=8192)
def _choose(values: tuple[int, ...], target: int, style: AnswerStyle, limit: int) -> tuple[str, ...]:
    if style is AnswerStyle.formula:
        solutions = list(solve(values, target))
        random.Random(str(values)).shuffle(solutions)
        return tuple(solutions[:limit])
    derivations = list(solve_steps(values, target))
    random.Random(str(values)).shuffle(derivations)
    derivations.sort(key=lambda steps: any(step.result < 0 or step.result.denominator > 1 for step in steps))
    return tuple(format_steps(steps) for steps in derivations[:limit])
