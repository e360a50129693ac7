"""Hands of cards: ways to deal one, and the published random hands."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence

from card24_pipeline.game.cards import FACES, RANKS, FaceRule
from card24_pipeline.game.errors import GameError
from card24_pipeline.game.solver import is_solvable

HAND_SIZE = 4


def deal_orders(
    values: Sequence[int], rule: FaceRule, count: int, rng: random.Random, *, with_face: bool = False
) -> tuple[tuple[str, ...], ...]:
    """Return `count` different ways to deal a hand: its numbers shuffled, each as any rank that counts it.

    Under the rule of training a 10 may be dealt as 10, J, Q or K. Each way is equally likely. Where fewer
    than `count` exist, all are returned; `with_face` leaves only ways that show a face card.

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
    if with_face:
        deals = [deal for deal in deals if not set(FACES).isdisjoint(deal)]
    return tuple(rng.sample(deals, min(count, len(deals))))


def deal_equally(
    multisets: Iterable[Sequence[int]], rule: FaceRule, count: int, rng: random.Random
) -> Iterator[tuple[tuple[int, ...], tuple[str, ...]]]:
    """Yield each multiset `count` times with a way to deal it, different ways as long as there are any.

    Chance is drawn from as each multiset's turn comes; GameError as `deal_orders`.
    """
    for values in multisets:
        hand = tuple(map(int, values))
        deals = deal_orders(hand, rule, count, rng)
        for ranks in itertools.islice(itertools.cycle(deals), count):
            yield hand, ranks


def sample_published_hands(
    count: int, rule: FaceRule, rng: random.Random, target: int = 24, *, with_face: bool
) -> tuple[tuple[str, ...], ...]:
    """Return random hands as the published study draws them (arXiv 2501.17161); repeats are possible.

    ID: four independent ranks. OOD, `with_face`: three independent ranks and one of J, Q, K, shuffled. A hand
    without solution is drawn again.

    Raises:
        GameError: a negative count, or a rule and target with no solvable hand.
    """
    if count < 0:
        raise GameError(f"the count is {count!r}; expected 0 or more")
    possible = itertools.combinations_with_replacement(RANKS, HAND_SIZE)
    if not any(is_solvable(rule.values(ranks), target) for ranks in possible if not with_face or {*FACES} & {*ranks}):
        kind = "hand with a face card" if with_face else "hand"
        raise GameError(f"no {kind} can make {target} under {rule}; expected another target or rule")
    hands: list[tuple[str, ...]] = []
    while len(hands) < count:
        hand = [rng.choice(RANKS) for _ in range(HAND_SIZE - with_face)]
        if with_face:
            hand.append(rng.choice(FACES))
            rng.shuffle(hand)
        if is_solvable(rule.values(hand), target):
            hands.append(tuple(hand))
    return tuple(hands)
