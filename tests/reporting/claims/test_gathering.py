"""Evidence taken from studies in miniature whose every figure can be worked out by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from card24_pipeline.reporting.claims import EvidenceBuilder
from card24_pipeline.reporting.claims_accuracy import AccuracyClaims
from card24_pipeline.reporting.claims_recovery import gather_recovery_claims
from card24_pipeline.reporting.claims_weights import gather_weight_claims
from card24_pipeline.reporting.published import PublishedResults
from card24_pipeline.reporting.rl_contrasts import lay_out_models
from tests.reporting.recovery.conftest import Study

MULTISETS = EvidenceBuilder(resamples=200, seed=1)
PUBLISHED = pd.read_csv(Path(__file__).parents[3] / "data/00_published/paper_results.csv")
ROLES = {"max_ood": 10, "rung_1": 20, "rung_2": 30, "end": 40}
# Share of multisets passed on ood, by role: before and after RL; on ID, before.
OOD = {"max_ood": (0.8, 0.75), "rung_1": (0.6, 0.7), "rung_2": (0.4, 0.6), "end": (0.2, 0.25)}
ID = {"max_ood": 0.5, "rung_1": 0.6, "rung_2": 0.7, "end": 0.9}


def make_hands(ood, seen, **columns):
    frames = [
        pd.DataFrame(
            {
                "split": split,
                "hand": range(20),
                "multiset": [f"{split}-{hand}" for hand in range(20)],
                "base_met_multiset": True,
                "passed": [hand < round(20 * share) for hand in range(20)],
            }
        )
        for split, share in (("ood", ood), ("id_seen", seen), ("id_heldout", 1 - seen))
    ]
    return pd.concat(frames, ignore_index=True).assign(**columns)


@pytest.fixture
def accuracy():
    sft = pd.concat([make_hands(OOD[role][0], ID[role], seed=0, step=step) for role, step in ROLES.items()])
    plain = pd.concat([make_hands(OOD[role][1], 0.9, seed=0, from_step=step) for role, step in ROLES.items()])
    selected = pd.DataFrame({"seed": 0, "role": list(ROLES), "step": list(ROLES.values())})
    runs = pd.DataFrame({"arm": "plain", "role": list(ROLES), "counts": True})

    def gather(runs=runs, plain=plain):
        models = lay_out_models(sft, selected, {"plain": plain, "anchored": plain.iloc[:0]})
        evidence = AccuracyClaims(models, runs, PublishedResults(PUBLISHED), MULTISETS).gather()
        return {each.statement.key: each for each in evidence}

    gather.runs, gather.plain = runs, plain
    return gather


class TestAccuracy:
    def test_figures(self, accuracy):
        found = {key: each.measured.estimate for key, each in accuracy().items()}
        assert found == pytest.approx(
            {
                "ood_peaks_before_end": 0.6,
                "id_seen_does_not_fall": 0.4,
                "id_heldout_does_not_fall": -0.4,
                "rl_from_middle_raises_ood": 0.15,
                "rl_from_end_raises_ood": 0.05,
                "rl_raises_less_from_end": 0.1,
                "max_ood_stays_ahead": 0.5,
                "middle_stays_ahead": 0.4,
                "rl_adds_more_to_max_ood": -0.1,
            }
        )

    def test_only_what_rests_on_an_idle_run_decides_nothing(self, accuracy):
        idle = accuracy.runs.assign(counts=accuracy.runs["role"] != "rung_2")
        undecided = {key for key, each in accuracy(runs=idle).items() if not each.decides}
        assert undecided == {"rl_from_middle_raises_ood", "rl_raises_less_from_end", "middle_stays_ahead"}

    def test_without_rl_its_statements_are_not_measured(self, accuracy):
        evidence = accuracy(plain=accuracy.plain.iloc[:0])
        assert {key for key, each in evidence.items() if each.measured} == {
            "ood_peaks_before_end",
            "id_seen_does_not_fall",
            "id_heldout_does_not_fall",
        }
        assert "has not been run" in evidence["rl_from_end_raises_ood"].note

    def test_published_figures_stand_beside(self, accuracy):
        (llama, qwen) = accuracy()["rl_from_end_raises_ood"].statement.published
        assert (llama.estimate, qwen.estimate) == pytest.approx((0.0641, 0.0257))
        assert llama.low > 0 > qwen.low


class TestRecovery:
    RUNS = pd.DataFrame({"arm": ["plain", "anchored"], "role": "end", "counts": [True, False]})

    def gather(self, study):
        points = study.trace_points()
        evidence = gather_recovery_claims(study.lay_out(), points, self.RUNS, MULTISETS, confidence=0.95)
        return {each.statement.key: each for each in evidence}

    def test_shares(self):
        evidence = self.gather(Study())
        top = evidence["top_directions_recover"]
        assert top.measured.estimate == pytest.approx((0.5 - 0.2) / (0.8 - 0.2))
        assert top.clusters == 20
        assert top.by_seed == pytest.approx({0: 0.5, 1: 0.5})
        assert evidence["first_layers_recover"].measured.estimate == pytest.approx(1.0)

    def test_leads_are_over_controls_with_as_much_id(self):
        evidence = self.gather(Study())
        lead = evidence["top_directions_beat_interpolation"]
        assert lead.measured.estimate == pytest.approx(0.5 - 0.8)
        assert lead.note == "donor share 0.5, ID 90.0 against 90.0"
        assert evidence["top_directions_beat_lines"].note == "not decided: ID of at most 85.0 against 90.0"
        assert evidence["top_directions_beat_delta_top"].note == "not measured"

    def test_a_control_is_held_to_the_id_of_the_merge_and_not_of_end(self):
        study = Study()
        knobs = study.edits["uv_top donor=max_ood"][1]
        knobs[0.2] = (0.60, *knobs[0.2][1:])
        lead = self.gather(study)["top_directions_beat_lines"]
        # Both knobs have as much ID now; 0.2 is the better one on ood_select.
        assert lead.note == "shallow share 0.2, ID 85.0 against 60.0"
        assert lead.measured.estimate == pytest.approx(0.5 - 0.6)

    def test_rl_that_does_not_count_decides_nothing(self):
        evidence = self.gather(Study())
        plain, anchored = (evidence[f"top_directions_beat_{name}"] for name in ("rl_from_end", "anchored_rl_from_end"))
        assert (plain.measured.estimate, plain.decides) == (pytest.approx(0.5 - 0.3), True)
        assert (anchored.decides, anchored.note) == (False, "ID 90.0 against 90.0, its runs do not count")


class TestWeights:
    SELECTED = pd.DataFrame({"seed": [0], "role": ["end"], "step": [40]})

    def make_bands(self, angles):
        rows = [
            {"seed": 0, "pair": "base_to_sft", "step": 40, "tensor": tensor, "model": model, "draw": draw}
            | {"band": band, "fraction": 0.2 if band != "all" else 1.0, "relative_sigma_shift": 0.004}
            | {"left_angle_degrees": angle + draw, "right_angle_degrees": angle + draw, "energy_inside": 0.5}
            for tensor in ("a", "b", "c")
            for model, angle in angles.items()
            for draw in range(1 if model == "observed" else 4)
            for band in ("top", "bulk", "tail", "all")
        ]
        return pd.DataFrame(rows)

    def make_indices(self):
        index = np.arange(50)
        frames = [
            pd.DataFrame(
                {"seed": 0, "pair": "base_to_sft", "step": 40, "tensor": tensor, "model": model, "index": index}
            ).assign(
                position=(index + 0.5) / 50,
                left_cosine=np.cos(np.radians(turn)),
                right_cosine=np.cos(np.radians(turn)),
                relative_gap=0.1,
            )
            for tensor in ("a", "b", "c")
            for model, turn in (("observed", 20.0), ("gaussian", 10.0), ("spectrum_matched", 10.0))
        ]
        return pd.concat(frames, ignore_index=True)

    def gather(self, angles):
        builder = EvidenceBuilder(200, 1, "matrix")
        evidence = gather_weight_claims(self.make_bands(angles), self.make_indices(), self.SELECTED, builder)
        return {each.statement.key: each for each in evidence}

    def test_excess_is_over_the_null_that_leaves_least_of_it(self):
        evidence = self.gather({"observed": 30.0, "gaussian": 10.0, "spectrum_matched": 20.0})
        excess = evidence["top_directions_turn_beyond_nulls"]
        # The null draws 20, 21, 22 and 23 degrees: a mean of 21.5 and a standard deviation of √(5/3).
        assert excess.measured.estimate == pytest.approx(30 - (21.5 + 1.6449 * (5 / 3) ** 0.5), abs=1e-3)
        assert (excess.cluster, excess.clusters) == ("matrix", 3)
        assert evidence["sigma_hardly_changes"].measured.estimate == pytest.approx(0.004)
        assert evidence["ends_turn_more_than_bulk"].measured.estimate == pytest.approx(0, abs=1e-9)

    def test_without_a_null_model_nothing_is_beyond_both(self):
        evidence = self.gather({"observed": 30.0, "gaussian": 10.0})
        assert evidence["top_directions_turn_beyond_nulls"].measured is None
        assert "both null models" in evidence["top_directions_turn_beyond_nulls"].note
