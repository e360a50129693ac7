import numpy as np
import pandas as pd
import pytest

from card24_pipeline.reporting.claims import Evidence, EvidenceBuilder, Statement, judge_claims
from card24_pipeline.reporting.claims_table import format_measured, summarise_study, write_claims_table
from card24_pipeline.reporting.published import PublishedResults, newcombe_interval
from card24_pipeline.reporting.resampling import Resampled


def make_evidence(key, mean, *, claim=1, spread=1.0, draws=2000, **more):
    """A quantity whose draws lie evenly around a mean; a statement's own fields come through ``more``."""
    decides = more.pop("decides", True)
    offsets = spread * np.linspace(-1, 1, draws)
    return Evidence(
        Statement(claim, key, f"claim of {key}", **more),
        Resampled(mean, mean + offsets),
        "multiset",
        40,
        {0: 0.5, 1: None, 2: -0.25},
        "",
        decides,
    )


def judge(*evidence):
    return {row["key"]: row for row in judge_claims(evidence, confidence=0.95)}


class TestHolm:
    def test_alone_a_statement_has_its_own_level(self):
        row = judge(make_evidence("one", 2.0))["one"]
        assert row["level"] == pytest.approx(0.95)
        assert row["p_holm"] == row["p_value"] == pytest.approx(2 / 2001)
        assert (row["low"], row["high"]) == pytest.approx((2 - 0.95, 2 + 0.95), abs=1e-3)
        assert row["verdict"] == "holds"

    def test_levels_step_down_by_the_order_of_p_values(self):
        rows = judge(make_evidence("weak", 0.97), make_evidence("sure", 2.0), make_evidence("none", 0.0))
        assert [rows[key]["level"] for key in ("sure", "weak", "none")] == pytest.approx([1 - 0.05 / 3, 0.975, 0.95])
        assert rows["weak"]["p_holm"] == pytest.approx(2 * rows["weak"]["p_value"])

    def test_what_holds_alone_is_undecided_among_many(self):
        weak = make_evidence("weak", 0.96)
        assert judge(weak)["weak"]["verdict"] == "holds"
        among = judge(weak, *(make_evidence(f"other {place}", 0.0) for place in range(4)))
        assert among["weak"]["verdict"] == "undecided"
        assert among["weak"]["low"] < 0

    def test_claims_are_adjusted_apart(self):
        others = [make_evidence(f"other {place}", 0.0, claim=2) for place in range(4)]
        assert judge(make_evidence("weak", 0.96), *others)["weak"]["verdict"] == "holds"

    def test_nothing_after_an_undecided_one_is_decided(self):
        rows = judge(make_evidence("first", 0.9), make_evidence("second", 0.9, spread=0.9))
        assert all(row["p_holm"] >= rows["second"]["p_holm"] for row in rows.values())


class TestVerdict:
    @pytest.mark.parametrize(
        ("mean", "side", "bound", "verdict"),
        [
            (2.0, "above", 0.0, "holds"),
            (-2.0, "above", 0.0, "does not hold"),
            (-2.0, "below", 0.0, "holds"),
            (2.0, "below", 3.5, "holds"),
            (2.0, "above", 3.5, "does not hold"),
            (2.0, "above", 2.5, "undecided"),
        ],
    )
    def test_by_the_side_of_the_whole_interval(self, mean, side, bound, verdict):
        assert judge(make_evidence("one", mean, side=side, bound=bound))["one"]["verdict"] == verdict

    def test_runs_that_do_not_count_decide_nothing(self):
        row = judge(make_evidence("one", 2.0, decides=False))["one"]
        assert row["verdict"] == "undecided"
        assert row["low"] > 0

    def test_what_was_not_measured_says_why_and_costs_the_others_nothing(self):
        rows = judge(make_evidence("one", 2.0), Evidence(Statement(1, "lost", "lost"), note="not measured"))
        assert rows["lost"]["verdict"] == "undecided"
        assert rows["lost"]["estimate"] is rows["lost"]["level"] is None
        assert rows["one"]["level"] == pytest.approx(0.95)


class TestEvidence:
    BUILDER = EvidenceBuilder(resamples=500, seed=1)

    @pytest.fixture
    def table(self):
        generator = np.random.default_rng(0)
        frame = pd.DataFrame(
            {"multiset": [f"m{row // 2}" for row in range(80)], "seed": [row % 2 for row in range(80)]}
        )
        return frame.assign(value=generator.normal(1, 0.2, 80), gain=generator.normal(0.5, 0.1, 80), loss=1.0)

    def test_mean_counts_clusters_and_seeds(self, table):
        evidence = self.BUILDER.take_mean(Statement(1, "one", "one"), table)
        assert evidence.clusters == 40
        assert evidence.by_seed == pytest.approx(table.groupby("seed")["value"].mean().to_dict())
        assert evidence.measured.estimate == pytest.approx(table["value"].mean())

    def test_least_mean_is_the_least_of_every_draw(self, table):
        columns = table.assign(low=table["value"] - 1, high=table["value"])
        evidence = self.BUILDER.take_least_mean(Statement(2, "two", "two"), columns, ["high", "low"])
        (alone,) = self.BUILDER._means(columns, ["low"], 500)
        assert evidence.measured.estimate == pytest.approx(alone.estimate)
        assert evidence.measured.draws == pytest.approx(alone.draws)

    def test_share_is_not_given_of_what_may_be_nothing(self, table):
        statement = Statement(3, "three", "three", unit="share", bound=0.7)
        given = self.BUILDER.take_share(statement, table, confidence=0.95)
        assert given.measured.estimate == pytest.approx(table["gain"].mean())
        doubtful = self.BUILDER.take_share(statement, table.assign(loss=table["value"] - 1), confidence=0.95)
        assert doubtful.measured is None
        assert "in doubt" in doubtful.note

    def test_no_rows_are_not_measured(self):
        assert self.BUILDER.take_mean(Statement(1, "one", "one"), pd.DataFrame()).note == "not measured"


class TestPublished:
    TABLE = pd.DataFrame(
        {
            "source": ["abstract", "figure", "figure"],
            "model": "Llama",
            "stage": ["rl", "rl", "sft_end"],
            "sft_step": [1100, 1100, 1100],
            "split": "ood",
            "metric": "success_within_5",
            "percent": [15.38, 16.24, 8.97],
            "n": 234,
        }
    )

    def test_difference_of_the_first_figure_listed(self):
        figure = PublishedResults(self.TABLE).compare("Llama", ("rl", 1100), ("sft_end", 1100), "ood", "RL − End")
        assert figure.estimate == pytest.approx(0.1538 - 0.0897)
        assert figure.label == "Llama: RL − End"
        assert figure.hands == 234

    def test_newcombe_s_published_example(self):
        interval = newcombe_interval((56 / 70, 70), (48 / 80, 80), confidence=0.95)
        assert (interval.low, interval.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


class TestTable:
    def test_a_row_for_each_claim_and_statement(self):
        evidence = [
            make_evidence("one", 0.04, spread=0.02, by_construction=True),
            make_evidence("two", 2.0, claim=2, unit="degrees", published_note="read off a figure"),
            Evidence(Statement(3, "three", "lost"), note="not measured"),
        ]
        table = write_claims_table(judge_claims(evidence, confidence=0.95))
        lines = table.splitlines()
        assert len(lines) == 2 + 4 + 3
        assert "| claim of one † | **holds** | +4.0 (+2.1 to +5.9) | +50.0, –, −25.0 |" in table
        assert "| +2.00° (+1.05° to +2.95°) | +0.50°, –, −0.25° | read off a figure |" in table
        assert "| lost | **undecided** | not measured |" in table
        assert "****" not in table

    def test_a_note_stands_beside_the_figure(self):
        row = judge(make_evidence("one", 0.02, spread=0.01))["one"] | {"note": "does not count"}
        assert format_measured(row).endswith("; does not count")

    def test_headline_figures(self):
        rows = {"variant": ["base", "end", "rl from end", "uv_top"]}
        rows |= {f"{split}_pass_at_1": [0.1, 0.2, 0.3, 0.4] for split in ("ood", "id_seen", "id_heldout")}
        statements = judge_claims([make_evidence("one", 2.0), make_evidence("two", 0.0)], confidence=0.95)
        summary = summarise_study(statements, pd.DataFrame(rows))
        assert summary["pass_at_1"]["ood"] == {"base": 0.1, "end": 0.2, "rl_from_end": 0.3}
        assert summary["claims"] == {"one": 2.0, "two": 0.0}
        assert summary["verdicts"] == {"holds": 1, "does_not_hold": 0, "undecided": 1}
