"""Deal the hands that reinforcement learning plays."""

from __future__ import annotations

import itertools
import random

import pandas as pd

from card24_pipeline.game.hands import deal_orders
from card24_pipeline.game.prompts import render_prompt
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.game.rl_hands_params import RlHandsParams


def deal_rl_hands(
    multisets: pd.DataFrame, rules: RulesParams, prompt: PromptParams, params: RlHandsParams
) -> pd.DataFrame:
    """Deal SFT multisets under the ID rule: what is held out from fine-tuning is held out from RL too.

    Every multiset is dealt equally often, into different orders and face cards as long as there are any; deals are
    drawn with the seed.

    Returns:
        One row per hand: ``hand`` (running number), ``multiset``, ``cards`` (space separated ranks), ``values`` (as
        dealt), ``target`` and ``prompt``.
    """
    rule = rules.id.to_rule()
    generator = random.Random(params.seed)
    rows: list[dict[str, object]] = []
    for multiset in (tuple(map(int, row)) for row in multisets.loc[multisets["split"] == "sft", "values"]):
        deals = deal_orders(multiset, rule, params.deals_per_multiset, generator)
        for ranks in itertools.islice(itertools.cycle(deals), params.deals_per_multiset):
            rows.append(
                {
                    "hand": len(rows),
                    "multiset": "-".join(map(str, multiset)),
                    "cards": " ".join(ranks),
                    "values": list(rule.values(ranks)),
                    "target": rules.target,
                    "prompt": render_prompt(ranks, rule, rules.target, layout=prompt.layout, style=prompt.style),
                }
            )
    return pd.DataFrame(rows)
