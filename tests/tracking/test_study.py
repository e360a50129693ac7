"""Digests, and what the parent says."""

import json
import re
from dataclasses import replace

import pytest

from card24_pipeline.tracking.records import PublishingError
from card24_pipeline.tracking.study import digest_artifacts, digest_table, read_statements

from .small_study import SETTINGS, make_study, make_tables, write_files


class TestDigests:
    def test_equal_studies_have_equal_digests(self, tmp_path):
        assert make_study(tmp_path / "first").digest == make_study(tmp_path / "second").digest

    def test_last_digit_of_a_score_counts(self):
        table = make_tables().sft_scores
        other = table.assign(pass_at_1=table["pass_at_1"] + 1e-15)
        assert digest_table(table) != digest_table(other)

    @pytest.mark.parametrize("change", ["table", "settings", "file", "missing file"])
    def test_every_part_counts(self, tmp_path, change):
        tables, settings, files = make_tables(), SETTINGS, write_files(tmp_path)
        before = digest_artifacts(tables, settings, files)
        if change == "table":
            tables = replace(tables, estimates=tables.estimates.iloc[1:])
        elif change == "settings":
            settings = SETTINGS | {"sft_arms": {"other": {"steps": 1}}}
        elif change == "file":
            files[0].write_text("# Another report\n", encoding="utf-8")
        else:
            files[0].unlink()
        after = digest_artifacts(tables, settings, files)
        assert len(dict(before.items() ^ after.items())) == 1

    def test_a_page_drawn_elsewhere_is_the_same_study(self, tmp_path):
        tables, files = make_tables(), write_files(tmp_path)
        before = digest_artifacts(tables, SETTINGS, files)
        files[2].write_text("<p>Another processor</p>", encoding="utf-8")
        assert digest_artifacts(tables, SETTINGS, files) == before


class TestHeadline:
    def test_parent_counts_verdicts_and_names_them(self, tmp_path):
        parent = make_study(tmp_path).parent
        metrics = {found.name: found.value for found in parent.metrics}
        counts = {name: value for name, value in metrics.items() if name.startswith("statements")}
        assert list(counts.values()) == [1, 0, 1, 0]
        assert "- RL heals: **undecided**" in parent.tags["mlflow.note.content"]
        assert parent.params["edit_arms.main.grid.0.knobs"] == "[0.2, 1]"
        assert parent.params["seeds"] == "0, 1"

    def test_a_study_that_decides_nothing_has_no_verdict_word(self, tmp_path):
        statements = [{"text": "OOD peaks", "verdict": "exploratory"}]
        parent = make_study(tmp_path, statements=statements).parent
        assert [found.name for found in parent.metrics if found.name.startswith("statements")] == [
            "statements_exploratory"
        ]
        assert not re.search("hold|undecided|verdict", parent.tags["mlflow.note.content"])

    def test_pooled_accuracy_is_that_of_the_headline_figures(self, tmp_path):
        metrics = {found.name: found.value for found in make_study(tmp_path).parent.metrics}
        assert metrics["main/end ood_pass_at_1"] == 0.2
        assert metrics["main/end id_seen_pass_at_1"] == 0.9

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", "expected `statements`"),
            ("[]", "expected `statements`"),
            (json.dumps({"statements": [{"text": "x"}]}), "verdict"),
            (json.dumps({"statements": [{"text": "", "verdict": "holds"}]}), "text: 1 statements have none"),
            (json.dumps({"statements": [{"text": "x", "verdict": "maybe"}]}), "expected one of holds, .*got maybe"),
        ],
        ids=["no JSON", "no mapping", "no verdict", "no text", "unknown verdict"],
    )
    def test_claims_of_another_shape_are_refused(self, tmp_path, content, message):
        (tmp_path / "claims.json").write_text(content)
        with pytest.raises(PublishingError, match=rf"claims\.json: .*{message}"):
            read_statements(tmp_path / "claims.json")
