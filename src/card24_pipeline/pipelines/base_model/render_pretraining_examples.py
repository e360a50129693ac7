"""Render what the from-scratch base is trained on."""

from __future__ import annotations

import random
from collections.abc import Callable

import pandas as pd

from card24_pipeline.game.cards import RANKS, FaceRule
from card24_pipeline.game.hands import HAND_SIZE, deal_orders
from card24_pipeline.game.prompts import render_answer, render_numbers, render_prompt, render_solution
from card24_pipeline.game.solutions import choose_solutions
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.base_model.mixture_params import MixtureParams


def render_pretraining_examples(
    multisets: pd.DataFrame, rules: RulesParams, prompt: PromptParams, mixture: MixtureParams
) -> pd.DataFrame:
    """Draw the mixture: translations of cards, bare number puzzles, and whole tasks under random face rules.

    Only multisets that the base may meet occur in puzzles and whole tasks. Whole tasks never use the ID or OOD
    rule, so what the base can do there is put together from its parts.

    Returns:
        One row per example: ``kind``, ``prompt`` and ``answer``.
    """
    generator = random.Random(mixture.seed)
    met = [tuple(map(int, values)) for values in multisets.loc[multisets["base_met_multiset"], "values"]]
    tuned_rules = {rules.id.to_rule(), rules.ood.to_rule()}

    def draw_rule() -> FaceRule:
        while (rule := FaceRule(*(generator.randint(1, mixture.max_face_value) for _ in range(3)))) in tuned_rules:
            pass
        return rule

    def translate() -> tuple[str, str]:
        rule, ranks = draw_rule(), [generator.choice(RANKS) for _ in range(HAND_SIZE)]
        text = render_prompt(ranks, rule, rules.target, layout=prompt.layout, style=prompt.style)
        return text, render_numbers(rule.values(ranks))

    def solve_puzzle() -> tuple[str, str]:
        values = generator.sample(generator.choice(met), HAND_SIZE)
        return render_numbers(values), render_solution(draw_solution(values), prompt.style)

    def solve_whole_task() -> tuple[str, str]:
        rule, values = draw_rule(), generator.choice(met)
        while not all(map(rule.ranks_for, values)):
            rule, values = draw_rule(), generator.choice(met)
        (ranks,) = deal_orders(values, rule, 1, generator)
        text = render_prompt(ranks, rule, rules.target, layout=prompt.layout, style=prompt.style)
        answer = render_answer(
            rule.values(ranks),
            draw_solution(values),
            ranks,
            layout=prompt.layout,
            style=prompt.style,
            target=rules.target,
        )
        return text, answer

    def draw_solution(values: tuple[int, ...] | list[int]) -> str:
        limit = mixture.max_solutions
        return generator.choice(choose_solutions(values, rules.target, style=prompt.style, limit=limit))

    kinds: dict[str, Callable[[], tuple[str, str]]] = {
        "translation": translate,
        "puzzle": solve_puzzle,
        "whole_task": solve_whole_task,
    }
    weights = [mixture.translation_weight, mixture.puzzle_weight, mixture.whole_task_weight]
    drawn = generator.choices(list(kinds), weights=weights, k=mixture.examples)
    return pd.DataFrame([(kind, *kinds[kind]()) for kind in drawn], columns=["kind", "prompt", "answer"])
