"""Render what the from-scratch base is trained on."""

import random
from collections.abc import Callable, Sequence

import pandas as pd
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from card24_pipeline.game.cards import RANKS, FaceRule
from card24_pipeline.game.hands import HAND_SIZE, deal_orders
from card24_pipeline.game.prompts import render_answer, render_numbers, render_prompt, render_solution
from card24_pipeline.game.solutions import choose_solutions
from card24_pipeline.parameters.base import Params
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams


class MixtureParams(Params):
    """What the from-scratch base is trained on: parts of the task and a little of the whole."""

    seed: NonNegativeInt
    examples: PositiveInt
    translation_weight: NonNegativeFloat
    puzzle_weight: NonNegativeFloat
    whole_task_weight: NonNegativeFloat
    max_solutions: PositiveInt
    max_face_value: PositiveInt


def render_pretraining_examples(
    multisets: pd.DataFrame, rules: RulesParams, prompt: PromptParams, mixture: MixtureParams
) -> pd.DataFrame:
    """Draw the mixture: translations of cards, bare number puzzles, and whole tasks under random face rules.

    Only multisets that the base may meet occur in puzzles and whole tasks, each once however many splits it is in.
    No task uses a rule of the game, ID or OOD, so what the base can do there is put together from its parts.

    Returns:
        One row per example: ``kind``, ``prompt`` and ``answer``.
    """
    met = list(dict.fromkeys(tuple(map(int, row)) for row in multisets.loc[multisets["base_met_multiset"], "values"]))
    drawer = _ExampleDrawer(met, rules, prompt, mixture)
    kinds: dict[str, Callable[[], tuple[str, str]]] = {
        "translation": drawer.translate,
        "puzzle": drawer.solve_puzzle,
        "whole_task": drawer.solve_whole_task,
    }
    weights = [mixture.translation_weight, mixture.puzzle_weight, mixture.whole_task_weight]
    drawn = drawer.generator.choices(list(kinds), weights=weights, k=mixture.examples)
    return pd.DataFrame([(kind, *kinds[kind]()) for kind in drawn], columns=["kind", "prompt", "answer"])


class _ExampleDrawer:
    """Draws prompt and answer of one example of each kind, all from one source of chance."""

    def __init__(
        self, met: Sequence[tuple[int, ...]], rules: RulesParams, prompt: PromptParams, mixture: MixtureParams
    ) -> None:
        """Take the multisets that the base may meet and the settings."""
        self.generator = random.Random(mixture.seed)
        self._met = met
        self._target = rules.target
        self._left_out_rules = set(rules.list_rules())
        self._prompt = prompt
        self._mixture = mixture

    def translate(self) -> tuple[str, str]:
        """Cards under a random rule, and their numbers."""
        rule, ranks = self._draw_rule(), [self.generator.choice(RANKS) for _ in range(HAND_SIZE)]
        return self._ask(ranks, rule), render_numbers(rule.values(ranks))

    def solve_puzzle(self) -> tuple[str, str]:
        """Four numbers, and a solution."""
        values = self.generator.sample(self.generator.choice(self._met), HAND_SIZE)
        return render_numbers(values), render_solution(self._draw_solution(values), self._prompt.style)

    def solve_whole_task(self) -> tuple[str, str]:
        """Cards under a random rule, their numbers and a solution."""
        rule, values = self._draw_rule(), self.generator.choice(self._met)
        while not all(map(rule.ranks_for, values)):
            rule, values = self._draw_rule(), self.generator.choice(self._met)
        (ranks,) = deal_orders(values, rule, 1, self.generator)
        answer = render_answer(
            rule.values(ranks),
            self._draw_solution(values),
            ranks,
            layout=self._prompt.layout,
            style=self._prompt.style,
            target=self._target,
        )
        return self._ask(ranks, rule), answer

    def _ask(self, ranks: Sequence[str], rule: FaceRule) -> str:
        return render_prompt(ranks, rule, self._target, layout=self._prompt.layout, style=self._prompt.style)

    def _draw_rule(self) -> FaceRule:
        highest = self._mixture.max_face_value
        while (rule := FaceRule(*(self.generator.randint(1, highest) for _ in range(3)))) in self._left_out_rules:
            pass
        return rule

    def _draw_solution(self, values: Sequence[int]) -> str:
        limit = self._mixture.max_solutions
        return self.generator.choice(choose_solutions(values, self._target, style=self._prompt.style, limit=limit))
