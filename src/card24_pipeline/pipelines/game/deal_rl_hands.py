"""Deal the hands that reinforcement learning plays."""

import random

import pandas as pd
from pydantic import NonNegativeInt, PositiveInt

from card24_pipeline.game.hands import deal_equally
from card24_pipeline.game.prompts import render_prompt
from card24_pipeline.parameters.base import Params
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams


class RlHandsParams(Params):
    """The hands that reinforcement learning plays."""

    seed: NonNegativeInt
    deals_per_multiset: PositiveInt


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
    chosen = multisets.loc[multisets["split"] == "sft", "values"]
    dealt = deal_equally(chosen, rule, params.deals_per_multiset, random.Random(params.seed))
    return pd.DataFrame(
        {
            "hand": hand,
            "multiset": "-".join(map(str, values)),
            "cards": " ".join(ranks),
            "values": list(rule.values(ranks)),
            "target": rules.target,
            "prompt": render_prompt(ranks, rule, rules.target, **prompt.wording),
        }
        for hand, (values, ranks) in enumerate(dealt)
    )
