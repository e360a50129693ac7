"""Deal the hands that every checkpoint is scored on."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal

import pandas as pd

from card24_pipeline.game.cards import FaceRule
from card24_pipeline.game.hands import deal_orders, sample_published_hands
from card24_pipeline.game.prompts import render_prompt
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.game.eval_hands_params import EvalHandsParams


def deal_eval_hands(
    multisets: pd.DataFrame, rules: RulesParams, prompt: PromptParams, params: EvalHandsParams
) -> pd.DataFrame:
    """Deal every multiset into seeded orders, and the published sampler's hands beside them.

    Splits: ``id_seen`` (multisets of SFT), ``id_heldout``, ``ood_select``, ``ood``, and ``published_id`` and
    ``published_ood``, which follow the published sampler and overlap with SFT; those two only describe.

    Returns:
        One row per hand: ``split``, ``hand`` (running number within the split), ``multiset``, ``cards`` (space
        separated ranks), ``values``, ``target``, ``base_met_multiset`` and ``prompt``.
    """
    met = dict(zip(multisets["multiset"], multisets["base_met_multiset"], strict=True))
    rows = []
    for split, rule, hands in _deal_splits(multisets, rules, params):
        for hand, ranks in enumerate(hands):
            values = rule.values(ranks)
            multiset = "-".join(map(str, sorted(values)))
            text = render_prompt(ranks, rule, rules.target, layout=prompt.layout, style=prompt.style)
            rows.append(
                {
                    "split": split,
                    "hand": hand,
                    "multiset": multiset,
                    "cards": " ".join(ranks),
                    "values": list(values),
                    "target": rules.target,
                    "base_met_multiset": met[multiset],
                    "prompt": text,
                }
            )
    return pd.DataFrame(rows)


def _deal_splits(
    multisets: pd.DataFrame, rules: RulesParams, params: EvalHandsParams
) -> Iterator[tuple[str, FaceRule, list[tuple[str, ...]]]]:
    """Yield each split's name, rule and hands."""
    id_rule, ood_rule = rules.id.to_rule(), rules.ood.to_rule()
    orders = params.orders
    dealt = (
        ("id_seen", "sft", id_rule, orders.id_seen),
        ("id_heldout", "id_heldout", id_rule, orders.id_heldout),
        ("ood_select", "ood_select", ood_rule, orders.ood_select),
        ("ood", "ood", ood_rule, orders.ood),
    )
    for split, source, rule, count in dealt:
        generator = random.Random(f"{params.seed} {split}")
        chosen = multisets.loc[multisets["split"] == source, "values"]
        dealt_orders = (deal_orders(tuple(map(int, values)), rule, count, generator) for values in chosen)
        yield split, rule, [ranks for orders_of_one in dealt_orders for ranks in orders_of_one]
    sampled: tuple[tuple[Literal["id", "ood"], FaceRule], ...] = (("id", id_rule), ("ood", ood_rule))
    for kind, rule in sampled:
        generator = random.Random(f"{params.seed} published_{kind}")
        yield (
            f"published_{kind}",
            rule,
            list(sample_published_hands(params.published_hands, rule, kind, generator, rules.target)),
        )
