import numpy as np
import pandas as pd
import pytest

from card24_pipeline.findings.changes import (
    ANGLE_CHANGE,
    CHANGED,
    COSINE,
    NORM_RATIO,
    SIGMA_SHIFT,
    WAY_BACK,
    name_angle,
    name_ends,
)
from card24_pipeline.findings.gathering import estimate_weights
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.findings.resampling import Bootstrap

TOP = name_angle("top")


@pytest.fixture
def change(study):
    """Estimate what the weights did, with any tables changed."""

    def estimate(**changed):
        parts = estimate_weights(study.tables(**changed), Bootstrap(200, 1, 0.95))
        estimates = pd.concat([part for part in parts if len(part)]).assign(split="", hands="")
        return Findings(pd.DataFrame(), estimates, pd.DataFrame(), ood="ood", confidence=0.95)

    return estimate


@pytest.fixture
def find(change):
    def find(quantity, change_model="observed", scope="all replicates", **changed):
        return change(**changed).find(quantity, "main/end", "base", change_model=change_model, scope=scope)

    return find


def pick(spectra, band="top", model="observed", step=40):
    """Where the rows of one band, model and step are."""
    return (spectra["step"] == step) & (spectra["band"] == band) & (spectra["model"] == model)


def test_means_are_over_matrices_seeds_and_draws(study, find):
    study.seeds = (0, 1)
    spectra = study.spectra("sft_arm", ["base_to_sft"])
    spectra.loc[pick(spectra, "all"), "relative_sigma_shift"] = [0.0, 0.0, 0.0, 0.0, 0.0, 0.004, 0.004, 0.008]
    row = find(SIGMA_SHIFT, sft_spectra=spectra)
    assert row["estimate"] == pytest.approx(0.002)
    assert (row["clusters"], row["seeds"], row["bound"]) == (4, 2, 0.01)
    assert find(SIGMA_SHIFT, sft_spectra=spectra, scope="replicate 0")["estimate"] == 0


def test_angles_average_both_sides_and_exceed_the_mean_of_a_null_s_draws(study, find):
    spectra = study.spectra("sft_arm", ["base_to_sft"])
    spectra.loc[pick(spectra), "left_angle_degrees"] = 20.0
    gaussian = pick(spectra, model="gaussian") & (spectra["draw"] == 0)
    spectra.loc[gaussian, ["left_angle_degrees", "right_angle_degrees"]] = 16.0
    assert find(TOP, sft_spectra=spectra)["estimate"] == pytest.approx(16)
    assert find(TOP, "gaussian", sft_spectra=spectra)["estimate"] == pytest.approx(12)
    assert find(TOP, "over gaussian", sft_spectra=spectra)["estimate"] == pytest.approx(4)
    assert find(TOP, "over spectrum_matched", sft_spectra=spectra)["estimate"] == pytest.approx(6)
    least = find(TOP, "over both nulls", sft_spectra=spectra)
    # All matrices are alike, so that every draw of the excess over the Gaussian null is 4, over the other one 6.
    assert [least[name] for name in ("estimate", "low", "high")] == pytest.approx([4, 4, 4])


def test_what_the_nulls_show_too_is_no_excess(find):
    row = find(TOP, "over both nulls")
    assert (row["estimate"], row["low"], row["high"]) == (0, 0, 0)


def test_only_the_observed_change_has_a_norm_and_a_share_of_weights(find):
    assert find(NORM_RATIO)["estimate"] == pytest.approx(0.03)
    assert find(CHANGED)["estimate"] == pytest.approx(0.9)
    assert find(CHANGED, "gaussian") is None


def test_rotation_at_the_ends(find):
    assert find(name_ends("ends", equal_gaps=False))["estimate"] == pytest.approx(20)
    assert find(name_ends("ends", equal_gaps=True), "over both nulls")["estimate"] == pytest.approx(0)


def test_changes_are_those_of_the_selected_checkpoints(findings):
    changes = findings.estimates[findings.estimates["quantity"] == TOP]
    pairs = set(zip(changes["subject"], changes["reference"], strict=True))
    sft = {(f"main/{role}", "base") for role in ("max_ood", "rung_1", "end")}
    assert pairs == sft | {(f"plain/from {role}", f"main/{role}") for role in ("max_ood", "rung_1", "end")}


def test_max_ood_to_end_is_a_change_of_end(study, change):
    between = study.spectra("sft_arm", ["max_ood_to_end"]).query("step == 40")
    found = change(sft_spectra=between)
    assert found.find(TOP, "main/end", "main/max_ood", change_model="observed")["estimate"] == pytest.approx(10)
    assert found.find(TOP, "main/end", "base", change_model="observed") is None


def test_a_replicate_s_value_is_the_mean_over_its_matrices(study, find):
    spectra = study.spectra("sft_arm", ["base_to_sft"])
    chosen = pick(spectra)
    spectra.loc[chosen, "left_angle_degrees"] = np.where(spectra.loc[chosen, "seed"] == 0, 0.0, 16.0)
    row = find(TOP, sft_spectra=spectra)
    # 6° and thrice 14°: s² = 16, and Student's t at 97.5 % with 3 degrees of freedom is 3.18244631.
    assert (row["estimate"], row["se_replicates"]) == pytest.approx((12, 2))
    assert row["high"] == pytest.approx(12 + 3.18244631 * 2)
    assert np.isnan(row["se_hands"])


def test_matrices_are_drawn_where_there_is_one_seed(study, find):
    study.seeds = (0,)
    spectra = study.spectra("sft_arm", ["base_to_sft"])
    spectra.loc[pick(spectra), "left_angle_degrees"] = [0.0, 0.0, 0.0, 0.0, 16.0, 16.0, 16.0, 16.0]
    row = find(TOP, sft_spectra=spectra)
    assert (row["estimate"], row["low"], row["high"]) == pytest.approx((10, 6, 14))
    assert row["se_hands"] == pytest.approx(2, rel=0.2)


class TestReturn:
    @pytest.mark.parametrize(
        ("reference", "share", "cosine", "angle"), [("main/max_ood", 0.25, 0.5, -1.5), ("base", 0.0, 0.0, 0.5)]
    )
    def test_figures_are_those_worked_out_by_hand(self, findings, reference, share, cosine, angle):
        found = {
            name: findings.find(name, "plain/from end", reference, change_model="observed")["estimate"]
            for name in (WAY_BACK, COSINE, ANGLE_CHANGE)
        }
        assert found == pytest.approx({WAY_BACK: share, COSINE: cosine, ANGLE_CHANGE: angle})

    def test_no_way_to_go(self, study, change):
        still = study.rl_return().assign(projection=0.0, distance_squared=0.0)
        found = change(rl_return=still)
        assert found.find(WAY_BACK, "plain/from end", "base", change_model="observed") is None
        assert found.find(COSINE, "plain/from end", "base", change_model="observed") is None
        assert found.find(ANGLE_CHANGE, "plain/from end", "base", change_model="observed")["estimate"] == 0.5
