"""Deal the hands that every checkpoint is scored on."""

import random
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pandas as pd
from pydantic import NonNegativeInt, PositiveInt

from card24_pipeline.game.cards import FaceRule
from card24_pipeline.game.hands import deal_orders, sample_published_hands
from card24_pipeline.game.prompts import render_prompt
from card24_pipeline.parameters.base import Params
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams


class OrdersParams(Params):
    """Into how many seeded orders each multiset of a split is dealt; each OOD rule has the same two numbers."""

    id_seen: PositiveInt
    id_heldout: PositiveInt
    ood_select: PositiveInt
    ood: PositiveInt


class EvalHandsParams(Params):
    """The evaluation hands."""

    seed: NonNegativeInt
    orders: OrdersParams
    published_hands: PositiveInt


class _Split(NamedTuple):
    """A split to be dealt: from the multisets of ``source``, each into so many orders."""

    name: str
    source: str
    rule: FaceRule
    target: int
    orders: int
    with_face: bool


def deal_eval_hands(
    multisets: pd.DataFrame, rules: RulesParams, prompt: PromptParams, params: EvalHandsParams
) -> pd.DataFrame:
    """Deal every multiset into seeded orders, and the published sampler's hands beside them.

    Splits: ``id_seen`` (multisets of SFT), ``id_heldout``, ``NAME_select`` and ``NAME`` of each OOD rule, and
    ``published_id`` and ``published_NAME``, which follow the published sampler and overlap with SFT; those only
    describe. Every hand of an OOD rule shows a face card: without one it would be the same hand under any rule.

    Returns:
        One row per hand: ``split``, ``hand`` (running number within the split), ``multiset``, ``cards`` (space
        separated ranks), ``values``, ``target``, ``base_met_multiset`` and ``prompt``.
    """
    met = dict(zip(multisets["multiset"], multisets["base_met_multiset"], strict=True))
    rows = []
    for split, hands in _deal_splits(multisets, rules, params):
        for hand, ranks in enumerate(hands):
            values = split.rule.values(ranks)
            multiset = "-".join(map(str, sorted(values)))
            rows.append(
                {
                    "split": split.name,
                    "hand": hand,
                    "multiset": multiset,
                    "cards": " ".join(ranks),
                    "values": list(values),
                    "target": split.target,
                    # What no split holds cannot make the game's own target, which is all that the base is taught.
                    "base_met_multiset": met.get(multiset, False),
                    "prompt": render_prompt(ranks, split.rule, split.target, layout=prompt.layout, style=prompt.style),
                }
            )
    return pd.DataFrame(rows)


def _deal_splits(
    multisets: pd.DataFrame, rules: RulesParams, params: EvalHandsParams
) -> Iterator[tuple[_Split, Iterable[tuple[str, ...]]]]:
    """Yield each split with its hands."""
    orders = params.orders
    id_seen = _Split("id_seen", "sft", rules.id.to_rule(), rules.target, orders.id_seen, with_face=False)
    splits = [id_seen, id_seen._replace(name="id_heldout", source="id_heldout", orders=orders.id_heldout)]
    whole = [id_seen._replace(name="published_id")]
    for name, faces in rules.ood.items():
        split = _Split(name, name, faces.to_rule(), rules.target_of(name), orders.ood, with_face=True)
        select = f"{name}_select"
        splits += [split._replace(name=select, source=select, orders=orders.ood_select), split]
        whole.append(split._replace(name=f"published_{name}"))
    for split in splits:
        generator = random.Random(f"{params.seed} {split.name}")
        chosen = multisets.loc[multisets["split"] == split.source, "values"]
        yield (
            split,
            [
                ranks
                for values in chosen
                for ranks in deal_orders(
                    tuple(map(int, values)), split.rule, split.orders, generator, with_face=split.with_face
                )
            ],
        )
    for split in whole:
        generator = random.Random(f"{params.seed} {split.name}")
        yield (
            split,
            sample_published_hands(
                params.published_hands, split.rule, generator, split.target, with_face=split.with_face
            ),
        )
