import itertools

import pytest

from card24_pipeline.game.solver import is_solvable
from card24_pipeline.pipelines.game.split_multisets import split_multisets


def test_all_solvable_multisets_have_one_split(multisets):
    assert len(multisets) == multisets["multiset"].nunique() == 1362
    assert multisets["split"].isin(["sft", "id_heldout"]).sum() == 566
    assert multisets["split"].isin(["ood_select", "ood"]).sum() == 796


def test_fractions_are_those_asked_for(multisets):
    counts = multisets.groupby(["split", "base_met_multiset"]).size().to_dict()
    assert {split: counts[split, True] + counts[split, False] for split, _ in counts} == {
        "sft": 453,
        "id_heldout": 113,
        "ood_select": 159,
        "ood": 637,
    }
    for split in ("sft", "id_heldout", "ood_select", "ood"):
        assert counts[split, False] == round(0.2 * (counts[split, True] + counts[split, False]))


def test_id_and_ood_differ_by_a_face_value(multisets):
    for values, split in zip(multisets["values"], multisets["split"], strict=True):
        assert (max(values) > 10) is split.startswith("ood")
        assert is_solvable(values, 24)


def test_multisets_are_sorted_and_named_after_their_values(multisets):
    assert multisets["values"].tolist() == sorted(multisets["values"].tolist())
    for name, values in zip(multisets["multiset"], multisets["values"], strict=True):
        assert name == "-".join(map(str, sorted(values)))


def test_same_seed_draws_the_same_and_another_differently(multisets, rules, split_params):
    assert split_multisets(rules, split_params).equals(multisets)
    other = split_multisets(rules, split_params.model_copy(update={"seed": 4}))
    assert other["multiset"].equals(multisets["multiset"])
    assert not other["split"].equals(multisets["split"])
    assert not other["base_met_multiset"].equals(multisets["base_met_multiset"])


class TestFurtherRules:
    """Two rules beside the first: one whose faces count what ID cards count, one with a target of its own."""

    RULES = (("low", (7, 5, 3), None), ("far", (11, 12, 13), 22))
    FACES = ({3, 5, 7}, {11, 12, 13})
    TARGETS = (24, 22)

    @pytest.fixture(scope="class")
    def found(self, make_rules, split_params):
        return split_multisets(make_rules(further=self.RULES), split_params)

    def test_splits_of_the_others_stay_as_they_are(self, found, multisets):
        kept = found[found["split"].isin(multisets["split"])].reset_index(drop=True)
        assert kept.equals(multisets)

    def test_a_rule_has_every_multiset_that_it_can_be_dealt_with_a_face(self, found):
        for (name, _, _), faces, target in zip(self.RULES, self.FACES, self.TARGETS, strict=True):
            rows = found[found["split"].isin([name, f"{name}_select"])]
            values = sorted({*range(1, 11)} | faces)
            hands = itertools.combinations_with_replacement(values, 4)
            expected = [list(hand) for hand in hands if faces & {*hand} and is_solvable(hand, target)]
            assert rows["values"].tolist() == expected
            assert (rows["split"] == f"{name}_select").sum() == round(0.2 * len(rows))

    def test_a_multiset_is_once_in_a_split_and_met_or_not_in_all(self, found):
        assert not found.duplicated(["split", "multiset"]).any()
        assert (found.groupby("multiset")["base_met_multiset"].nunique() == 1).all()
        assert found["values"].tolist() == sorted(found["values"].tolist())

    def test_what_cannot_make_the_target_of_the_game_is_never_met(self, found):
        makes = found["values"].map(is_solvable)
        assert not found.loc[~makes, "base_met_multiset"].any()
        assert 0.7 < found.loc[makes, "base_met_multiset"].mean() < 0.9
        assert not makes[found["split"] == "far"].all()

    def test_new_multisets_are_set_aside_by_the_fraction(self, make_rules, split_params, multisets):
        found = split_multisets(make_rules(further=[("far", (14, 15, 16), None)]), split_params)
        new = found[~found["multiset"].isin(multisets["multiset"])]
        assert set(new["split"]) == {"far", "far_select"}
        for _, rows in new.groupby("split"):
            assert (~rows["base_met_multiset"]).sum() == round(0.2 * len(rows)) > 10

    def test_a_first_rule_may_have_a_target_of_its_own(self, make_rules, split_params, multisets):
        rules = make_rules()
        rules.ood["ood"] = rules.ood["ood"].model_copy(update={"target": 22})
        found = split_multisets(rules, split_params)
        ood = found[found["split"] == "ood"]
        assert all(is_solvable(values, 22) and max(values) > 10 for values in ood["values"])
        assert 0 < ood["base_met_multiset"].mean() < 0.8
        sft = [frame.loc[frame["split"] == "sft", "multiset"].tolist() for frame in (found, multisets)]
        assert sft[0] == sft[1]


class TestOtherRules:
    def test_every_multiset_can_be_dealt_under_the_rule_of_its_split(self, make_rules, split_params):
        rules = make_rules(id_faces=(11, 12, 10), ood_faces=(14, 10, 12))
        found = split_multisets(rules, split_params)
        for values, split in zip(found["values"], found["split"], strict=True):
            rule = rules.id if split in ("sft", "id_heldout") else rules.ood["ood"]
            assert all(rule.to_rule().ranks_for(value) for value in values), (split, values)
        ood = [values for values, split in zip(found["values"], found["split"], strict=True) if split == "ood"]
        assert all(14 in values for values in ood)
        assert any(12 in values for values in ood)
        assert not any(11 in values for values in ood)

    def test_target_changes_the_hands(self, make_rules, split_params):
        found = split_multisets(make_rules(target=10), split_params)
        assert all(is_solvable(values, 10) for values in found["values"])
        assert not all(is_solvable(values, 24) for values in found["values"])

    @pytest.mark.parametrize(
        ("target", "ood_faces", "rule"), [(100_000, (11, 12, 13), "id"), (6561, (97, 97, 97), r"ood\.ood")]
    )
    def test_target_out_of_reach_names_the_rule(self, make_rules, split_params, target, ood_faces, rule):
        # 6,561 is 9 * 9 * 9 * 9, and a 97 with three cards up to 10 cannot make it.
        with pytest.raises(ValueError, match=rf"game\.rules\.{rule}: no hand makes {target}"):
            split_multisets(make_rules(ood_faces=ood_faces, target=target), split_params)

    @pytest.mark.parametrize("faces", [(10, 10, 10), (1, 5, 10)])
    def test_ood_rule_without_a_value_of_its_own_names_the_key(self, make_rules, split_params, faces):
        with pytest.raises(ValueError, match=r"game\.rules\.ood\.ood: expected a face card"):
            split_multisets(make_rules(ood_faces=faces), split_params)
