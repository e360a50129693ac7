"""Render the hands that supervised fine-tuning learns from."""

import random

import pandas as pd
from pydantic import NonNegativeInt, PositiveInt

from card24_pipeline.game.hands import deal_equally
from card24_pipeline.game.prompts import render_answer, render_prompt
from card24_pipeline.game.solutions import choose_solutions
from card24_pipeline.parameters.base import Params
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams


class SftExamplesParams(Params):
    """The examples that supervised fine-tuning learns from."""

    seed: NonNegativeInt
    deals_per_multiset: PositiveInt
    max_solutions: PositiveInt


def render_sft_examples(
    multisets: pd.DataFrame, rules: RulesParams, prompt: PromptParams, params: SftExamplesParams
) -> pd.DataFrame:
    """Deal SFT multisets under the ID rule, each deal with one of the hand's solutions.

    Every multiset is dealt equally often, into different orders and face cards as long as there are any; deals
    and solutions are drawn with the seed.

    Returns:
        One row per example: ``multiset``, ``prompt`` and ``answer``.
    """
    rule = rules.id.to_rule()
    generator = random.Random(params.seed)
    chosen = multisets.loc[multisets["split"] == "sft", "values"]
    rows = []
    for values, ranks in deal_equally(chosen, rule, params.deals_per_multiset, generator):
        solutions = choose_solutions(values, rules.target, style=prompt.style, limit=params.max_solutions)
        asked = render_prompt(ranks, rule, rules.target, **prompt.wording)
        told = render_answer(
            rule.values(ranks), generator.choice(solutions), ranks, **prompt.wording, target=rules.target
        )
        rows.append({"multiset": "-".join(map(str, values)), "prompt": asked, "answer": told})
    return pd.DataFrame(rows)
