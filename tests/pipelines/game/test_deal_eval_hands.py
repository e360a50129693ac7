import itertools
import random

import pytest

from card24_pipeline.game.cards import FaceRule
from card24_pipeline.game.hands import deal_orders
from card24_pipeline.game.solver import is_solvable
from card24_pipeline.pipelines.game.deal_eval_hands import deal_eval_hands
from card24_pipeline.pipelines.game.split_multisets import split_multisets

SOURCES = {"id_seen": "sft", "id_select": "sft", "id_heldout": "id_heldout", "ood_select": "ood_select", "ood": "ood"}


def test_each_split_deals_its_own_multisets_and_no_others(multisets, eval_hands):
    for split, source in SOURCES.items():
        dealt = eval_hands.loc[eval_hands["split"] == split, "multiset"]
        # What can be dealt in one way only has been dealt as `id_seen`.
        single = {"3-3-3-3", "5-5-5-5", "6-6-6-6"} if split == "id_select" else set()
        assert set(dealt) == set(multisets.loc[multisets["split"] == source, "multiset"]) - single


def test_practised_hands_for_choosing_are_other_deals(eval_hands):
    seen, select = (set(eval_hands.loc[eval_hands["split"] == split, "cards"]) for split in ("id_seen", "id_select"))
    assert seen
    assert select
    assert seen.isdisjoint(select)


def test_held_out_multisets_are_never_in_sft_examples(eval_hands, sft_examples):
    trained = set(sft_examples["multiset"])
    assert trained
    for split in ("id_heldout", "ood_select", "ood"):
        assert trained.isdisjoint(eval_hands.loc[eval_hands["split"] == split, "multiset"])
    assert trained <= set(eval_hands.loc[eval_hands["split"] == "id_seen", "multiset"])


def test_each_multiset_is_dealt_in_the_stated_number_of_different_orders(eval_hands, eval_hands_params, rules):
    for split in SOURCES:
        rule = (rules.id if split.startswith("id") else rules.ood["ood"]).to_rule()
        wanted = getattr(eval_hands_params.orders, split)
        for multiset, cards in eval_hands[eval_hands["split"] == split].groupby("multiset")["cards"]:
            values = map(int, multiset.split("-"))
            # Q Q Q Q has one order only.
            possible = len(deal_orders(tuple(values), rule, wanted, random.Random(0)))
            assert len(cards) == cards.nunique() == possible, multiset
        assert len(cards) == wanted


def test_published_hands_follow_the_published_sampler(eval_hands):
    for split in ("published_id", "published_ood"):
        hands = eval_hands[eval_hands["split"] == split]
        assert len(hands) == 234
        assert all(is_solvable(values, 24) for values in hands["values"])
    ood = eval_hands.loc[eval_hands["split"] == "published_ood", "cards"]
    assert all(set(cards.split()) & {"J", "Q", "K"} for cards in ood)


def test_cards_values_and_prompt_agree(eval_hands):
    rules = {True: FaceRule(10, 10, 10), False: FaceRule(11, 12, 13)}
    for row in eval_hands.to_dict("records"):
        rule = rules["id" in row["split"]]
        ranks = row["cards"].split()
        assert list(rule.values(ranks)) == list(row["values"])
        assert row["multiset"] == "-".join(map(str, sorted(row["values"])))
        faces = f"J {rule.jack} Q {rule.queen} K {rule.king}"
        assert row["prompt"] == f"{faces} target 24 cards {row['cards']} :"


def test_whether_the_base_met_a_hand_is_told_by_its_multiset(multisets, eval_hands):
    met = dict(zip(multisets["multiset"], multisets["base_met_multiset"], strict=True))
    assert [met[multiset] for multiset in eval_hands["multiset"]] == eval_hands["base_met_multiset"].tolist()
    shares = eval_hands.groupby("split")["base_met_multiset"].mean()
    assert ((shares > 0.5) & (shares < 1)).all()


def test_hands_are_numbered_within_their_split(eval_hands):
    for _, hands in eval_hands.groupby("split"):
        assert hands["hand"].tolist() == list(range(len(hands)))


def test_same_seed_deals_the_same_whatever_other_splits_do(multisets, rules, prompt, eval_hands, eval_hands_params):
    fewer = {"orders": eval_hands_params.orders.model_copy(update={"id_heldout": 1}), "published_hands": 10}
    changed = deal_eval_hands(multisets, rules, prompt, eval_hands_params.model_copy(update=fewer))
    for split in ("id_seen", "ood_select", "ood"):
        kept = [frame[frame["split"] == split].reset_index(drop=True) for frame in (changed, eval_hands)]
        assert kept[0].equals(kept[1])


def test_another_seed_deals_otherwise(multisets, rules, prompt, eval_hands, eval_hands_params):
    reseeded = deal_eval_hands(multisets, rules, prompt, eval_hands_params.model_copy(update={"seed": 4}))
    for split, hands in eval_hands.groupby("split"):
        assert not hands["cards"].equals(reseeded.loc[reseeded["split"] == split, "cards"]), split


class TestFurtherRules:
    RULES = (("low", (7, 5, 3), None), ("far", (11, 12, 13), 22))

    @pytest.fixture(scope="class")
    def found(self, make_rules, split_params, prompt, eval_hands_params):
        rules = make_rules(further=self.RULES)
        return deal_eval_hands(split_multisets(rules, split_params), rules, prompt, eval_hands_params)

    def test_hands_of_the_others_stay_as_they_are(self, found, eval_hands):
        kept = found[found["split"].isin(eval_hands["split"])]
        for split, hands in eval_hands.groupby("split"):
            assert kept[kept["split"] == split].reset_index(drop=True).equals(hands.reset_index(drop=True))

    def test_every_rule_has_its_splits_dealt_as_often(self, found):
        assert set(found["split"]) == {
            *SOURCES,
            *(f"published_{name}" for name in ("id", "ood", "low", "far")),
            *(f"{name}{kind}" for name in ("low", "far") for kind in ("", "_select")),
        }
        for name in ("low", "low_select", "far", "far_select"):
            assert found[found["split"] == name].groupby("multiset").size().max() == 2

    def test_hands_show_a_face_and_can_be_solved_for_their_target(self, found):
        for (name, faces, target), published in itertools.product(self.RULES, ("", "published_")):
            rows = found[found["split"].isin([f"{published}{name}", f"{published}{name}_select"])]
            rule = FaceRule(*faces)
            assert set(rows["target"]) == {target or 24}
            for row in rows.to_dict("records"):
                ranks = row["cards"].split()
                assert {"J", "Q", "K"} & {*ranks}
                assert list(rule.values(ranks)) == list(row["values"])
                assert is_solvable(row["values"], row["target"])
                assert row["prompt"].startswith(f"J {faces[0]} Q {faces[1]} K {faces[2]} target {target or 24} cards ")

    def test_whether_the_base_met_a_hand_is_told_by_its_multiset(self, found):
        assert (found.groupby("multiset")["base_met_multiset"].nunique() == 1).all()
        assert not found.loc[~found["values"].map(is_solvable), "base_met_multiset"].any()


@pytest.mark.parametrize("faces", [((11, 10, 10), (10, 12, 13)), ((2, 3, 4), (10, 1, 15))])
def test_other_rules_can_be_dealt(make_rules, split_params, prompt, eval_hands_params, faces):
    rules = make_rules(*faces)
    hands = deal_eval_hands(split_multisets(rules, split_params), rules, prompt, eval_hands_params)
    assert set(hands["split"]) == {*SOURCES, "published_id", "published_ood"}
