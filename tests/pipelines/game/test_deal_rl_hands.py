import random

import pytest

from card24_pipeline.game.answers import grade_answer
from card24_pipeline.game.hands import deal_orders
from card24_pipeline.game.prompts import AnswerStyle, PromptLayout, render_answer
from card24_pipeline.game.solutions import choose_solutions
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.pipelines.game.deal_rl_hands import RlHandsParams, deal_rl_hands

PARAMS = RlHandsParams(seed=5, deals_per_multiset=6)


@pytest.fixture(scope="module")
def rl_hands(multisets, rules, prompt):
    return deal_rl_hands(multisets, rules, prompt, PARAMS)


def test_only_sft_multisets_are_dealt_each_equally_often(rl_hands, multisets):
    counts = rl_hands["multiset"].value_counts()
    assert set(counts.index) == set(multisets.loc[multisets["split"] == "sft", "multiset"])
    assert set(counts) == {6}


def test_held_out_hands_are_never_played(rl_hands, eval_hands):
    heldout = eval_hands[eval_hands["split"].isin(["id_heldout", "ood_select", "ood"])]
    assert set(rl_hands["multiset"]).isdisjoint(heldout["multiset"])
    assert set(rl_hands["prompt"]).isdisjoint(heldout["prompt"])


def test_deals_differ_as_long_as_there_are_any(rl_hands, rules):
    rule = rules.id.to_rule()
    for multiset, cards in rl_hands.groupby("multiset")["cards"]:
        values = tuple(map(int, multiset.split("-")))
        assert cards.nunique() == len(deal_orders(values, rule, 6, random.Random(0))), multiset


def test_cards_values_and_prompt_agree_under_the_id_rule(rl_hands, rules):
    rule = rules.id.to_rule()
    assert rl_hands["hand"].tolist() == list(range(len(rl_hands)))
    assert set(rl_hands["target"]) == {24}
    for row in rl_hands.to_dict("records"):
        assert row["values"] == list(rule.values(row["cards"].split()))
        assert row["multiset"] == "-".join(map(str, sorted(row["values"])))
        assert row["prompt"] == f"J 10 Q 10 K 10 target 24 cards {row['cards']} :"
    assert any(row != sorted(row) for row in rl_hands["values"]), "values are in the order of the cards"


@pytest.mark.parametrize("layout", PromptLayout)
def test_every_hand_can_be_solved(few_multisets, rules, layout):
    asked = PromptParams(layout=layout, style=AnswerStyle.formula)
    for row in deal_rl_hands(few_multisets, rules, asked, PARAMS).to_dict("records"):
        (solution,) = choose_solutions(row["values"], 24, style=asked.style, limit=1)
        ranks = row["cards"].split()
        answer = render_answer(row["values"], solution, ranks, layout=layout, style=asked.style)
        assert grade_answer(answer, tuple(row["values"]), 24, layout=layout, style=asked.style).is_correct, row


def test_same_seed_deals_the_same_and_another_otherwise(rl_hands, multisets, rules, prompt):
    assert deal_rl_hands(multisets, rules, prompt, PARAMS).equals(rl_hands)
    other = deal_rl_hands(multisets, rules, prompt, PARAMS.model_copy(update={"seed": 6}))
    assert not other["cards"].equals(rl_hands["cards"])
