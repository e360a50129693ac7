"""Deal the hands that every checkpoint is scored on."""

import random
from collections.abc import Iterator, Sequence
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
    id_select: PositiveInt
    id_heldout: PositiveInt
    ood_select: PositiveInt
    ood: PositiveInt


class EvalHandsParams(Params):
    """The evaluation hands."""

    seed: NonNegativeInt
    orders: OrdersParams
    published_hands: PositiveInt


class _Split(NamedTuple):
    """A split to be dealt: each of its multisets into so many orders, or where there are none by the sampler.

    None of its hands is one of the split ``beside``, which was dealt before.
    """

    name: str
    rule: FaceRule
    target: int
    with_face: bool
    orders: int | None = None
    source: str = ""
    beside: str = ""


def deal_eval_hands(
    multisets: pd.DataFrame, rules: RulesParams, prompt: PromptParams, params: EvalHandsParams
) -> pd.DataFrame:
    """Deal every multiset into seeded orders, and the published sampler's hands beside them.

    Splits: ``id_seen`` (multisets of SFT), ``id_select`` (other deals of them, for choosing; a multiset that can be
    dealt in too few ways has none), ``id_heldout``, ``NAME_select`` and ``NAME`` of each OOD rule, and
    ``published_id`` and ``published_NAME``, which follow the published sampler and overlap with SFT; those only
    describe. Every hand of an OOD rule shows a face card: without one it would be the same hand under any rule.

    Returns:
        One row per hand: ``split``, ``hand`` (running number within the split), ``multiset``, ``cards`` (space
        separated ranks), ``values``, ``target``, ``base_met_multiset`` and ``prompt``.
    """
    met = dict(zip(multisets["multiset"], multisets["base_met_multiset"], strict=True))
    rows = []
    dealt: dict[str, Sequence[tuple[str, ...]]] = {}
    for split in _list_splits(rules, params.orders):
        dealt[split.name] = _deal(split, multisets, params, frozenset(dealt.get(split.beside, ())))
        for hand, ranks in enumerate(dealt[split.name]):
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
                    "prompt": render_prompt(ranks, split.rule, split.target, **prompt.wording),
                }
            )
    return pd.DataFrame(rows)


def _list_splits(rules: RulesParams, orders: OrdersParams) -> Iterator[_Split]:
    id_rule, target = rules.id.to_rule(), rules.target
    ood = [(name, faces.to_rule(), rules.target_of(name)) for name, faces in rules.ood.items()]
    yield _Split("id_seen", id_rule, target, False, orders.id_seen, "sft")
    yield _Split("id_select", id_rule, target, False, orders.id_select, "sft", beside="id_seen")
    yield _Split("id_heldout", id_rule, target, False, orders.id_heldout, "id_heldout")
    for name, rule, own in ood:
        yield _Split(f"{name}_select", rule, own, True, orders.ood_select, f"{name}_select")
        yield _Split(name, rule, own, True, orders.ood, name)
    yield _Split("published_id", id_rule, target, False)
    for name, rule, own in ood:
        yield _Split(f"published_{name}", rule, own, True)


def _deal(
    split: _Split, multisets: pd.DataFrame, params: EvalHandsParams, taken: frozenset[tuple[str, ...]]
) -> Sequence[tuple[str, ...]]:
    generator = random.Random(f"{params.seed} {split.name}")
    if split.orders is None:
        count, faces = params.published_hands, split.with_face
        return sample_published_hands(count, split.rule, generator, split.target, with_face=faces)
    hands: list[tuple[str, ...]] = []
    for values in multisets.loc[multisets["split"] == split.source, "values"]:
        own = list(map(int, values))
        # As many more as are taken at most, so that enough are left.
        wanted = split.orders + (params.orders.id_seen if split.beside else 0)
        deals = deal_orders(own, split.rule, wanted, generator, with_face=split.with_face)
        hands += [ranks for ranks in deals if ranks not in taken][: split.orders]
    return hands
