import math

import pandas as pd
import pytest

from card24_pipeline.reporting.recovery_models import name_family

HALF = "uv_top donor=max_ood top_fraction=0.2"


@pytest.fixture
def by_variant(study):
    return lambda: study.trace_points().set_index("variant")


class TestModels:
    def test_one_row_per_seed_and_hand_of_the_four_splits(self, study):
        models = study.lay_out()
        assert len(models) == 2 * 4 * 40
        assert {"end", "max_ood", "base", "rl from end", "anchored rl from end", HALF} <= set(models.columns)
        assert models.groupby("split")["end"].mean().to_dict() == {
            "id_heldout": 0.3,
            "id_seen": 0.9,
            "ood": 0.2,
            "ood_select": 0.2,
        }

    def test_costs_are_means_over_seeds_and_rl_is_summed_over_the_updates_from_end(self, study):
        costs = study.list_models().set_index("variant")["cost_flops"]
        assert costs[HALF] == 1_500
        assert costs["rl from end"] == 45_000
        assert costs[["end", "max_ood", "base", "layer_reset donor=max_ood quarter=1"]].tolist() == [0] * 4

    def test_a_variant_scored_on_some_hands_only_is_refused(self, study):
        hands = study.make_recovery_hands().drop(index=0)
        study.make_recovery_hands = lambda: hands
        with pytest.raises(ValueError, match=r"seed 0: 'uv_top donor=max_ood top_fraction=0\.1' was scored on 99%"):
            study.lay_out()

    def test_a_seed_without_max_ood_is_refused(self, study):
        selected = study.make_selected().query("seed == 0 or role == 'end'")
        study.make_selected = lambda: selected
        with pytest.raises(ValueError, match="seed 1: 'max_ood' was scored on 0% of the hands of others"):
            study.lay_out()

    def test_a_split_without_hands_is_named(self, study):
        hands = {name: getattr(study, name)().query("split != 'ood_select'") for name in ("make_sft_hands",)}
        study.make_sft_hands = lambda: hands["make_sft_hands"]
        recovery = study.make_recovery_hands().query("split != 'ood_select'")
        study.make_recovery_hands = lambda: recovery
        study.passes.pop("plain")
        study.passes.pop("anchored")
        with pytest.raises(ValueError, match="there are no hands of ood_select"):
            study.lay_out()

    def test_a_variant_that_is_not_described_is_named(self, study):
        variants = study.make_variants().query("method != 'lines'")
        study.make_variants = lambda: variants
        with pytest.raises(ValueError, match=r"not described or not scored: lines donor=max_ood shallow_share=0\.2"):
            study.list_models()

    def test_an_unknown_donor_is_named(self, study):
        variants = study.make_variants().replace({"donor": {"base": "rung_1"}})
        study.make_variants = lambda: variants
        with pytest.raises(ValueError, match="expected the donors max_ood and base, got rung_1"):
            study.list_models()

    def test_families_are_written_for_readers(self):
        assert name_family("uv_top donor=max_ood sigma=donor") == "top directions, MaxOOD, σ too"
        assert name_family("layer_reset donor=base embeddings") == "layers reset, base, embeddings too"
        assert name_family("max_ood") == "keeping MaxOOD"


class TestPoints:
    def test_pass_at_1_and_paired_differences(self, by_variant):
        row = by_variant().loc[HALF]
        assert row["ood_pass_at_1"] == pytest.approx(0.5)
        assert row["ood_difference"] == pytest.approx(0.3)
        assert 0 < row["ood_difference_low"] < 0.3 < row["ood_difference_high"]
        assert row[["id_seen_difference", "id_seen_difference_low", "id_seen_difference_high"]].tolist() == [0, 0, 0]
        assert (row["seeds"], row["multisets"]) == (2, 20)

    def test_share_recovered_is_of_the_loss_to_the_edits_own_donor(self, by_variant):
        points = by_variant()
        assert points.loc[HALF, "recovered_share"] == pytest.approx(0.5)
        assert points.loc["uv_top donor=base top_fraction=0.2", "recovered_share"] == pytest.approx(0.25)
        assert points.loc[HALF, "recovered_share_low"] < 0.5 < points.loc[HALF, "recovered_share_high"]

    def test_share_by_acquaintance_takes_those_multisets_only(self, by_variant):
        # Of the even multisets End solves 0 and 2, MaxOOD 0 … 14, the edit at 0.2 0 … 8; of the odd ones likewise.
        row = by_variant().loc[HALF]
        assert row["recovered_share_met"] == pytest.approx(3 / 6)
        assert row["recovered_share_never_met"] == pytest.approx(3 / 6)

    def test_models_without_a_donor_are_held_to_max_ood(self, by_variant):
        points = by_variant()
        shares = points.loc[["end", "max_ood", "base", "rl from end", "anchored rl from end"], "recovered_share"]
        assert shares.tolist() == pytest.approx([0, 1, 2 / 3, 1 / 6, 1 / 3])
        assert points.loc["max_ood", ["recovered_share_low", "recovered_share_high"]].tolist() == [1, 1]

    def test_no_share_of_a_loss_that_is_in_doubt(self, study, by_variant):
        study.passes["base"] = (0.1, 0.1, 0.2, 0.2)
        points = by_variant()
        assert math.isnan(points.loc["uv_top donor=base top_fraction=0.2", "recovered_share"])
        assert points.loc[HALF, "recovered_share"] == pytest.approx(0.5)

    def test_no_multiset_that_the_base_never_met(self, study, by_variant):
        for name in ("make_base_hands", "make_sft_hands", "make_recovery_hands"):
            hands = getattr(study, name)().assign(base_met_multiset=True)
            setattr(study, name, lambda hands=hands: hands)
        study.passes.pop("plain")
        study.passes.pop("anchored")
        row = by_variant().loc[HALF]
        assert math.isnan(row["recovered_share_never_met"])
        assert row["recovered_share_met"] == pytest.approx(row["recovered_share"])

    def test_rl_that_was_not_run_from_end_is_left_out(self, study, by_variant):
        study.passes.pop("plain")
        study.passes.pop("anchored")
        assert not by_variant().index.str.contains("rl from end").any()

    def test_rl_of_one_seed_is_pooled_over_that_seed(self, study, by_variant):
        hands = study.make_rl_hands("plain").query("seed == 0")
        study.make_rl_hands = lambda arm: hands if arm == "plain" else hands.iloc[:0]
        points = by_variant()
        assert points.loc["rl from end", "seeds"] == 1
        assert points.loc["rl from end", "ood_pass_at_1"] == pytest.approx(0.3)
        assert points.loc[HALF, "seeds"] == 2


class TestChoices:
    @pytest.fixture
    def choose(self, study):
        return lambda: study.choose(study.trace_points()).set_index("family")

    def test_the_best_knob_that_keeps_id_and_the_best_whatever_id(self, choose):
        row = choose().loc["uv_top donor=max_ood"]
        assert (row["variants"], row["within_tolerance"]) == (3, 2)
        assert (row["chosen_knob"], row["any_id_knob"]) == (0.2, 0.5)
        assert row["chosen_recovered_share"] == pytest.approx(0.5)
        assert row["any_id_id_seen_difference"] == pytest.approx(-0.4)

    def test_it_is_chosen_on_ood_select(self, study, choose):
        study.edits["uv_top donor=max_ood"][1][0.1] = (0.90, 0.30, 0.60, 0.10)
        assert choose().loc["uv_top donor=max_ood", "chosen_knob"] == 0.1

    def test_a_tie_goes_to_the_smaller_knob(self, study, choose):
        study.edits["uv_random donor=max_ood"] = (
            "random_fraction",
            {0.2: (0.90, 0.30, 0.20, 0.20), 0.1: (0.90, 0.30, 0.20, 0.30)},
        )
        assert choose().loc["uv_random donor=max_ood", "chosen_knob"] == 0.1

    def test_no_variant_within_the_point(self, choose):
        row = choose().loc["lines donor=max_ood"]
        assert (row["chosen_variant"], row["within_tolerance"]) == ("", 0)
        assert math.isnan(row["chosen_ood_pass_at_1"])
        assert row["any_id_variant"] == "lines donor=max_ood shallow_share=0.2"
        assert math.isnan(row["uv_merge_lead"])

    def test_families_of_one_model_end_and_base_left_out(self, choose):
        chosen = choose()
        assert {"max_ood", "rl from end", "anchored rl from end"} <= set(chosen.index)
        assert not {"end", "base"} & set(chosen.index)

    def test_leads_are_those_of_the_uv_merge_that_keeps_sigma(self, choose):
        chosen = choose()
        assert set(chosen["uv_merge"]) == {HALF}
        assert chosen.loc["uv_random donor=max_ood", "uv_merge_lead"] == pytest.approx(0.3)
        assert chosen.loc["interpolation donor=max_ood", "uv_merge_lead"] == pytest.approx(-0.3)
        assert chosen.loc["uv_top donor=max_ood", "uv_merge_lead"] == 0

    def test_without_a_uv_merge_there_are_no_leads(self, study, choose):
        del study.edits["uv_top donor=max_ood"]
        chosen = choose()
        assert set(chosen["uv_merge"]) == {""}
        assert chosen["uv_merge_lead"].isna().all()


def test_same_draws_give_the_same_points(study):
    pd.testing.assert_frame_equal(study.trace_points(), study.trace_points())
