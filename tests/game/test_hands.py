"""Hands enumerated, dealt and sampled."""

import random
from typing import Literal

import pytest

from card24_pipeline.game.cards import FACES, ID_RULE, OOD_RULE, FaceRule
from card24_pipeline.game.hands import (
    deal_orders,
    enumerate_multisets,
    sample_published_hands,
    solvable_multisets,
)
from card24_pipeline.game.solver import is_solvable


def test_counts_of_multisets() -> None:
    assert len(enumerate_multisets(1, 10)) == 715
    assert len(enumerate_multisets(1, 13)) == 1820
    assert enumerate_multisets(2, 3, 2) == ((2, 2), (2, 3), (3, 3))
    assert len(solvable_multisets(10)) == 566
    assert len(solvable_multisets(13)) == 1362


@pytest.mark.parametrize(("low", "high", "size"), [(0, 3, 2), (4, 3, 2), (1, 3, 0)])
def test_bad_ranges_are_refused(low: int, high: int, size: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        enumerate_multisets(low, high, size)


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


@pytest.mark.parametrize(("split", "rule"), [("id", ID_RULE), ("ood", OOD_RULE)])
def test_published_hands_are_solvable_and_seeded(split: Literal["id", "ood"], rule: FaceRule) -> None:
    hands = sample_published_hands(234, rule, split, random.Random(3))
    assert len(hands) == 234
    assert all(is_solvable(rule.values(hand)) for hand in hands)
    assert hands == sample_published_hands(234, rule, split, random.Random(3))
    has_face = [any(rank in FACES for rank in hand) for hand in hands]
    assert all(has_face) if split == "ood" else not all(has_face)
    places = {place for hand in hands for place, rank in enumerate(hand) if rank in FACES}
    assert places == {0, 1, 2, 3}


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="no ood hand can make 99999999"):
        sample_published_hands(1, OOD_RULE, "ood", random.Random(0), 99_999_999)
    with pytest.raises(ValueError, match="expected 'id' or 'ood'"):
        sample_published_hands(1, OOD_RULE, "train", random.Random(0))  # type: ignore[arg-type]
