"""Hands: all of them, those with a solution, ways to deal one, and the published random hands."""

import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Literal

from card24_pipeline.game.cards import FACES, RANKS, FaceRule
from card24_pipeline.game.errors import GameError
from card24_pipeline.game.solver import is_solvable

HAND_SIZE = 4


def enumerate_multisets(low: int, high: int, size: int = HAND_SIZE) -> tuple[tuple[int, ...], ...]:
    """Return every multiset of `size` numbers from low to high, sorted; 1,820 of four on 1..13.

    Raises:
        GameError: not 1 <= low <= high, or size below 1.
    """
    if not 1 <= low <= high:
        raise GameError(f"the range is {low!r} to {high!r}; expected 1 <= low <= high")
    if size < 1:
        raise GameError(f"the size is {size!r}; expected at least 1")
    return tuple(itertools.combinations_with_replacement(range(low, high + 1), size))


def solvable_multisets(max_value: int, target: int = 24) -> tuple[tuple[int, ...], ...]:
    """Return every solvable multiset of four numbers on 1..max_value; 566 for 10 and 1,362 for 13.

    Raises:
        GameError: max_value or target below 1.
    """
    return tuple(values for values in enumerate_multisets(1, max_value) if is_solvable(values, target))


def deal_orders(values: Sequence[int], rule: FaceRule, count: int, rng: random.Random) -> tuple[tuple[str, ...], ...]:
    """Return `count` different ways to deal a hand: its numbers shuffled, each as any rank that counts it.

    Under the rule of training a 10 may be dealt as 10, J, Q or K. Each way is equally likely.

    Args:
        values: the numbers of the hand.
        rule: what face cards count.
        count: how many; where fewer exist, all are returned.
        rng: the source of chance; equal states give equal hands.

    Raises:
        GameError: a number that no rank counts, or a negative count.
    """
    if count < 0:
        raise GameError(f"the count is {count!r}; expected 0 or more")
    for value in values:
        if not rule.ranks_for(value):
            raise GameError(f"no rank counts {value!r} under {rule}; expected values of ranks")
    orders = sorted(set(itertools.permutations(values)))
    deals = [deal for order in orders for deal in itertools.product(*map(rule.ranks_for, order))]
    return tuple(rng.sample(deals, min(count, len(deals))))


def sample_published_hands(
    count: int,
    rule: FaceRule,
    split: Literal["id", "ood"],
    rng: random.Random,
    target: int = 24,
) -> tuple[tuple[str, ...], ...]:
    """Return random hands as the published study draws them (arXiv 2501.17161); repeats are possible.

    ID: four independent ranks. OOD: three independent ranks and one of J, Q, K, shuffled. A hand without
    solution is drawn again.

    Args:
        count: how many hands.
        rule: what face cards count.
        split: "id" or "ood".
        rng: the source of chance; equal states give equal hands.
        target: the value to reach.

    Raises:
        GameError: an unknown split, a negative count, or a rule and target with no solvable hand.
    """
    if split not in ("id", "ood"):
        raise GameError(f"the split is {split!r}; expected 'id' or 'ood'")
    if count < 0:
        raise GameError(f"the count is {count!r}; expected 0 or more")
    if not any(is_solvable(rule.values(ranks), target) for ranks in _possible_hands(split)):
        raise GameError(f"no {split} hand can make {target} under {rule}; expected another target or rule")
    hands: list[tuple[str, ...]] = []
    while len(hands) < count:
        hand = _draw_hand(split, rng)
        if is_solvable(rule.values(hand), target):
            hands.append(hand)
    return tuple(hands)


def _possible_hands(split: Literal["id", "ood"]) -> Iterable[tuple[str, ...]]:
    if split == "id":
        return itertools.combinations_with_replacement(RANKS, HAND_SIZE)
    others = itertools.combinations_with_replacement(RANKS, HAND_SIZE - 1)
    return ((face, *three) for three in others for face in FACES)


def _draw_hand(split: Literal["id", "ood"], rng: random.Random) -> tuple[str, ...]:
    if split == "id":
        return tuple(rng.choice(RANKS) for _ in range(HAND_SIZE))
    hand = [*(rng.choice(RANKS) for _ in range(HAND_SIZE - 1)), rng.choice(FACES)]
    rng.shuffle(hand)
    return tuple(hand)
