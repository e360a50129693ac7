"""Rewards of outcomes."""

import math

import pytest

from card24_pipeline.game.rewards import RewardTable
from card24_pipeline.game.verifier import Outcome, Verdict, verify


def test_defaults_are_the_published_rewards() -> None:
    table = RewardTable()
    assert [table.reward(outcome) for outcome in Outcome] == [5, 1, -1, -2, -3, -3]


def test_verdicts_and_outcomes_are_worth_the_same() -> None:
    table = RewardTable(correct=7, illegal=-0.5)
    assert table.reward(verify("8/(3-8/3)", (3, 3, 8, 8))) == 7
    assert table.reward(Verdict(Outcome.illegal, "of a reason")) == table.reward(Outcome.illegal) == -0.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, "1", None])
def test_entries_are_checked_by_name(value: object) -> None:
    with pytest.raises(ValueError, match=r"reward 'wrong_value' is .*expected a finite number"):
        RewardTable(wrong_value=value)  # type: ignore[arg-type]
