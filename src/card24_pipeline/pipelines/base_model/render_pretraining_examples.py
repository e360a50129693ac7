"""Render what the from-scratch base is trained on."""

import random
from collections.abc import Sequence
from typing import Any

import pandas as pd
from pydantic import NonNegativeFloat, PositiveInt

from card24_pipeline.game.cards import RANKS, FaceRule
from card24_pipeline.game.hands import HAND_SIZE, deal_orders
from card24_pipeline.game.prompts import render_answer, render_numbers, render_prompt, render_solution
from card24_pipeline.game.solutions import choose_solutions
from card24_pipeline.parameters.base import Params
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams


class MixtureParams(Params):
    """What the from-scratch base is trained on: parts of the task and a little of the whole."""

    examples: PositiveInt
    translation_weight: NonNegativeFloat
    puzzle_weight: NonNegativeFloat
    whole_task_weight: NonNegativeFloat
    max_solutions: PositiveInt
    max_face_value: PositiveInt


def render_pretraining_examples(
    multisets: pd.DataFrame, rules: RulesParams, prompt: PromptParams, mixture: MixtureParams, seed: Any
) -> pd.DataFrame:
    """Draw the mixture: translations of cards, bare number puzzles, and whole tasks under random face rules.

    Only multisets that the base may meet occur in puzzles and whole tasks, each once however many splits it is in.
    No task uses a rule of the game, ID or OOD, so what the base can do there is put together from its parts. The draws
    are the replicate's own; a base that replicates share has no seed but ``none``.

    Returns:
        One row per example: ``kind``, ``prompt`` and ``answer``.
    """
    met = list(dict.fromkeys(tuple(map(int, row)) for row in multisets.loc[multisets["base_met_multiset"], "values"]))
    target, left_out, generator = rules.target, set(rules.list_rules()), random.Random(f"mixture {seed}")

    def draw_rule() -> FaceRule:
        highest = mixture.max_face_value
        while (rule := FaceRule(*(generator.randint(1, highest) for _ in range(3)))) in left_out:
            pass
        return rule

    def draw_solution(values: Sequence[int]) -> str:
        return generator.choice(choose_solutions(values, target, style=prompt.style, limit=mixture.max_solutions))

    def translate() -> tuple[str, str]:
        rule, ranks = draw_rule(), [generator.choice(RANKS) for _ in range(HAND_SIZE)]
        return render_prompt(ranks, rule, target, **prompt.wording), render_numbers(rule.values(ranks))

    def solve_puzzle() -> tuple[str, str]:
        values = generator.sample(generator.choice(met), HAND_SIZE)
        return render_numbers(values), render_solution(draw_solution(values), prompt.style)

    def solve_whole_task() -> tuple[str, str]:
        rule, values = draw_rule(), generator.choice(met)
        while not all(map(rule.ranks_for, values)):
            rule, values = draw_rule(), generator.choice(met)
        (ranks,) = deal_orders(values, rule, 1, generator)
        answer = render_answer(rule.values(ranks), draw_solution(values), ranks, **prompt.wording, target=target)
        return render_prompt(ranks, rule, target, **prompt.wording), answer

    kinds = {"translation": translate, "puzzle": solve_puzzle, "whole_task": solve_whole_task}
    weights = [mixture.translation_weight, mixture.puzzle_weight, mixture.whole_task_weight]
    drawn = generator.choices(list(kinds), weights=weights, k=mixture.examples)
    return pd.DataFrame([(kind, *kinds[kind]()) for kind in drawn], columns=["kind", "prompt", "answer"])
