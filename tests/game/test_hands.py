"""Hands dealt and sampled."""

import random

import pytest

from card24_pipeline.game.cards import FACES, FaceRule
from card24_pipeline.game.hands import deal_equally, deal_orders, sample_published_hands
from card24_pipeline.game.solver import is_solvable

ID_RULE, OOD_RULE = FaceRule(10, 10, 10), FaceRule(11, 12, 13)


def test_deals_are_distinct_seeded_and_worth_the_hand() -> None:
    deals = deal_orders((10, 10, 3, 2), ID_RULE, 50, random.Random(1))
    assert len(set(deals)) == len(deals) == 50
    assert all(sorted(ID_RULE.values(deal)) == [2, 3, 10, 10] for deal in deals)
    assert deals == deal_orders((10, 10, 3, 2), ID_RULE, 50, random.Random(1))
    assert deals != deal_orders((10, 10, 3, 2), ID_RULE, 50, random.Random(2))
    assert {rank for deal in deals for rank in deal} == {"2", "3", "10", "J", "Q", "K"}


def test_all_deals_where_fewer_exist() -> None:
    assert deal_orders((3, 3, 3, 3), OOD_RULE, 9, random.Random(0)) == (("3",) * 4,)
    assert len(deal_orders((10, 3, 3, 3), ID_RULE, 99, random.Random(0))) == 16
    assert len(deal_orders((1, 2, 3, 4), ID_RULE, 99, random.Random(0))) == 24
    assert deal_orders((1, 2, 3, 4), ID_RULE, 0, random.Random(0)) == ()


def test_values_that_no_rank_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="no rank counts 13"):
        deal_orders((1, 2, 3, 13), ID_RULE, 1, random.Random(0))


def test_deals_with_a_face_card() -> None:
    rule = FaceRule(7, 5, 3)
    deals = deal_orders((3, 5, 7, 9), rule, 999, random.Random(0), with_face=True)
    every = deal_orders((3, 5, 7, 9), rule, 999, random.Random(0))
    assert (len(deals), len(every)) == (24 * 7, 24 * 8)
    assert set(deals) == {deal for deal in every if not set(FACES).isdisjoint(deal)}
    assert deal_orders((11, 1, 1, 1), OOD_RULE, 9, random.Random(0), with_face=True) == deal_orders(
        (11, 1, 1, 1), OOD_RULE, 9, random.Random(0)
    )
    assert deal_orders((1, 2, 4, 6), rule, 9, random.Random(0), with_face=True) == ()


def test_hands_dealt_equally_often_repeat_only_where_there_are_no_more() -> None:
    dealt = list(deal_equally([[3, 3, 3, 3], [10, 3, 3, 3]], ID_RULE, 6, random.Random(0)))
    assert [values for values, _ in dealt] == [(3, 3, 3, 3)] * 6 + [(10, 3, 3, 3)] * 6
    assert {ranks for _, ranks in dealt[:6]} == {("3",) * 4}
    assert len({ranks for _, ranks in dealt[6:]}) == 6


@pytest.mark.parametrize(("with_face", "rule"), [(False, ID_RULE), (True, OOD_RULE), (True, FaceRule(7, 5, 3))])
def test_published_hands_are_solvable_and_seeded(with_face: bool, rule: FaceRule) -> None:
    hands = sample_published_hands(234, rule, random.Random(3), with_face=with_face)
    assert len(hands) == 234
    assert all(is_solvable(rule.values(hand)) for hand in hands)
    assert hands == sample_published_hands(234, rule, random.Random(3), with_face=with_face)
    has_face = [any(rank in FACES for rank in hand) for hand in hands]
    assert all(has_face) if with_face else not all(has_face)
    places = {place for hand in hands for place, rank in enumerate(hand) if rank in FACES}
    assert places == {0, 1, 2, 3}


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="no hand with a face card can make 99999999"):
        sample_published_hands(1, OOD_RULE, random.Random(0), 99_999_999, with_face=True)
    with pytest.raises(ValueError, match="the count is -1"):
        sample_published_hands(-1, OOD_RULE, random.Random(0), with_face=False)
