"""Render the hands that supervised fine-tuning learns from."""

from __future__ import annotations

import itertools
import random

import pandas as pd

from card24_pipeline.game.hands import deal_orders
from card24_pipeline.game.prompts import render_answer, render_prompt
from card24_pipeline.game.solutions import choose_solutions
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.game.sft_examples_params import SftExamplesParams


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
    rows = []
    for values in (tuple(map(int, row)) for row in multisets.loc[multisets["split"] == "sft", "values"]):
        deals = deal_orders(values, rule, params.deals_per_multiset, generator)
        solutions = choose_solutions(values, rules.target, style=prompt.style, limit=params.max_solutions)
        for ranks in itertools.islice(itertools.cycle(deals), params.deals_per_multiset):
            answer = render_answer(
                rule.values(ranks),
                generator.choice(solutions),
                ranks,
                layout=prompt.layout,
                style=prompt.style,
                target=rules.target,
            )
            text = render_prompt(ranks, rule, rules.target, layout=prompt.layout, style=prompt.style)
            rows.append({"multiset": "-".join(map(str, values)), "prompt": text, "answer": answer})
    return pd.DataFrame(rows)
