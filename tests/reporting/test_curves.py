import pandas as pd
import pytest

from card24_pipeline.reporting.curves import spread_splits
from card24_pipeline.reporting.resampling import bootstrap_over_multisets


def read(table, value, *, split, met="all", **others):
    chosen = table[(table["split"] == split) & (table["base_met_multiset"] == met)]
    for name, wanted in others.items():
        chosen = chosen[chosen[name] == wanted]
    return chosen[value].tolist()


class TestTraceAccuracy:
    def test_curve_starts_at_the_base_and_follows_the_steps(self, builder, base_hands, sft_hands):
        curves = builder.trace_accuracy(base_hands, sft_hands)
        assert read(curves, "step", split="ood") == [0, 10, 40]
        assert read(curves, "pass_at_1", split="ood") == [0.25, 1.0, 0.0]
        assert read(curves, "pass_at_1", split="id_seen") == [0.25, 0.25, 1.0]

    def test_acquaintance_divides_the_multisets(self, builder, base_hands, sft_hands):
        curves = builder.trace_accuracy(base_hands, sft_hands)
        assert read(curves, "pass_at_1", split="ood", met="met") == pytest.approx([1 / 3, 1.0, 0.0])
        assert read(curves, "pass_at_1", split="ood", met="never_met") == [0.0, 1.0, 0.0]
        for met, multisets in (("all", 4), ("met", 3), ("never_met", 1)):
            assert set(read(curves, "multisets", split="ood", met=met)) == {multisets}
            assert set(read(curves, "hands", split="ood", met=met)) == {2 * multisets}
            assert set(read(curves, "seeds", split="ood", met=met)) == {2}

    def test_interval_is_the_bootstrap_over_multisets(self, builder, base_hands, sft_hands):
        curves = builder.trace_accuracy(base_hands, sft_hands)
        ood = base_hands[base_hands["split"] == "ood"].astype({"passed": float})
        (expected,) = bootstrap_over_multisets(ood, ["passed"], resamples=300, confidence=0.95, seed=1)
        assert read(curves, "low", split="ood", step=0) == [expected.low]
        assert read(curves, "high", split="ood", step=0) == [expected.high]
        assert expected.low < 0.25 < expected.high

    def test_seeds_are_averaged(self, builder, base_hands, sft_hands):
        sft_hands.loc[(sft_hands["seed"] == 1) & (sft_hands["step"] == 10), "passed"] = False
        curves = builder.trace_accuracy(base_hands, sft_hands)
        assert read(curves, "pass_at_1", split="ood") == [0.25, 0.5, 0.0]

    def test_order_of_rows_does_not_matter(self, builder, base_hands, sft_hands):
        curves = builder.trace_accuracy(base_hands, sft_hands)
        shuffled = builder.trace_accuracy(base_hands.iloc[::-1], sft_hands.sample(frac=1, random_state=0))
        assert curves.equals(shuffled)

    def test_a_split_without_strangers_has_no_row_for_them(self, builder, base_hands, sft_hands):
        base_hands["base_met_multiset"] = sft_hands["base_met_multiset"] = True
        assert set(builder.trace_accuracy(base_hands, sft_hands)["base_met_multiset"]) == {"all", "met"}


class TestSpreadSplits:
    def test_a_row_per_step_and_a_column_per_group(self, builder, base_hands, sft_hands):
        curves = builder.trace_accuracy(base_hands, sft_hands)
        wide = spread_splits(curves)
        assert wide["step"].tolist() == [0, 10, 40]
        assert wide["ood"].tolist() == [0.25, 1.0, 0.0]
        assert wide["ood_never_met"].tolist() == [0.0, 1.0, 0.0]
        assert list(wide.columns[:2]) == ["step", "id_heldout"]
        assert spread_splits(curves.iloc[::-1]).equals(wide)


class TestContrastSelected:
    def test_differences_pair_hands_between_roles(self, builder, base_hands, sft_hands, selected):
        contrasts = builder.contrast_selected(base_hands, sft_hands, selected)
        for scope in ("all seeds", "seed 0", "seed 1"):
            pooled = contrasts[(contrasts["scope"] == scope) & (contrasts["base_met_multiset"] == "all")]
            assert pooled.set_index(["split", "pair"])["difference"].to_dict() == {
                ("id_heldout", "max_ood - base"): 0.5,
                ("id_heldout", "end - max_ood"): 0.5,
                ("id_heldout", "end - base"): 1.0,
                ("id_seen", "max_ood - base"): 0.0,
                ("id_seen", "end - max_ood"): 0.75,
                ("id_seen", "end - base"): 0.75,
                ("ood", "max_ood - base"): 0.75,
                ("ood", "end - max_ood"): -1.0,
                ("ood", "end - base"): -0.25,
            }

    def test_a_difference_that_all_hands_share_has_no_width(self, builder, base_hands, sft_hands, selected):
        contrasts = builder.contrast_selected(base_hands, sft_hands, selected)
        where = {"split": "ood", "pair": "end - max_ood", "scope": "all seeds"}
        assert read(contrasts, "low", **where) == read(contrasts, "high", **where) == [-1.0]
        where["pair"] = "max_ood - base"
        (low,), (high,) = read(contrasts, "low", **where), read(contrasts, "high", **where)
        assert low < 0.75 < high

    def test_each_seed_is_compared_at_its_own_steps(self, builder, base_hands, sft_hands, selected):
        selected.loc[(selected["seed"] == 1) & (selected["role"] == "max_ood"), "step"] = 40
        contrasts = builder.contrast_selected(base_hands, sft_hands, selected)
        where = {"split": "ood", "pair": "max_ood - base"}
        assert read(contrasts, "difference", **where, scope="seed 0") == [0.75]
        assert read(contrasts, "difference", **where, scope="seed 1") == [-0.25]
        assert read(contrasts, "difference", **where, scope="all seeds") == [0.25]
        assert read(contrasts, "difference", split="ood", pair="end - max_ood", scope="seed 1") == [0.0]

    def test_rungs_among_the_selected_change_nothing(self, builder, base_hands, sft_hands, selected):
        ladder = pd.concat([selected, pd.DataFrame({"seed": [0, 1], "role": "rung_1", "step": 10})])
        assert builder.contrast_selected(base_hands, sft_hands, ladder).equals(
            builder.contrast_selected(base_hands, sft_hands, selected)
        )
