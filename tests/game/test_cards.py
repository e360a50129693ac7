"""Ranks and face rules."""

import pytest

from card24_pipeline.game.cards import RANKS, FaceRule

ID_RULE, OOD_RULE = FaceRule(10, 10, 10), FaceRule(11, 12, 13)


def test_rules_differ_only_in_face_cards() -> None:
    assert ID_RULE.values(RANKS) == (*range(1, 11), 10, 10, 10)
    assert OOD_RULE.values(RANKS) == tuple(range(1, 14))


def test_ranks_for_inverts_value() -> None:
    assert ID_RULE.ranks_for(10) == ("10", "J", "Q", "K")
    assert OOD_RULE.ranks_for(12) == ("Q",)
    assert ID_RULE.ranks_for(11) == ()
    assert FaceRule(1, 2, 99).ranks_for(1) == ("A", "J")


@pytest.mark.parametrize("queen", [0, 100, -1, True, 12.0, "12", None])
def test_face_values_are_checked_by_name(queen: object) -> None:
    with pytest.raises(ValueError, match=r"queen is .*expected an integer from 1 to 99"):
        FaceRule(11, queen, 13)  # type: ignore[arg-type]


@pytest.mark.parametrize("rank", ["1", "a", "11", "", "Joker"])
def test_unknown_rank_is_named(rank: str) -> None:
    with pytest.raises(ValueError, match=f"unknown rank '{rank}'; expected one of A, 2"):
        ID_RULE.values(["A", rank])
