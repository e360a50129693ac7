import base64
import gzip
import json
import re
from html import unescape

import pandas as pd
import pytest

from card24_pipeline.findings.judge import judge_statements
from card24_pipeline.findings.statements import list_statements
from card24_pipeline.page.figure import Figure, make_table
from card24_pipeline.page.hands import OUTCOMES, pack_hands
from card24_pipeline.page.page import Section, render_page
from card24_pipeline.page.reports import write_claims, write_data_card, write_finding, write_model_card, write_reports
from card24_pipeline.page.sections import list_roles, name_hands
from card24_pipeline.page.sft_paths import show_paths, table_arms, table_paths
from card24_pipeline.page.tables import table_leads
from card24_pipeline.page.titles import describe_basis
from card24_pipeline.study.vocabulary import GLOSSARY, MEANINGLESS

HOSTILE = "</script><img src=x onerror=alert(1)>"


def make_figure(key="one"):
    rows = [{"panel": "p", "series": "a", "x": 1, "y": 0.1, "note": HOSTILE}]
    return Figure(key, f"Figure {key}", "A caption.", make_table(rows), "x", "y")


def make_claims(text="OOD peaks early", **more):
    statement = {
        "claim": 1, "key": "one", "text": text, "unit": "points", "side": "above", "bound": 0.0, "confirmatory": True,
        "why_exploratory": "", "by_construction": True, "estimate": 0.26, "low": 0.22, "high": 0.3, "p_value": 0.001,
        "p_holm": 0.002, "cluster": "multisets", "clusters": 637, "seeds": 3,
        "by_seed": {"replicate 0": 0.25, "replicate 2": -0.01}, "verdict": "holds", "note": "",
        "published_note": "70–80 %",
        "published": [{"label": "Llama: RL − End", "estimate": 0.06, "low": 0.01, "high": 0.12, "hands": 234}],
    }  # fmt: skip
    return {
        "confidence": 0.95,
        "seeds": [0, 1, 2],
        "conditional": False,
        "replicates_for_verdicts": 3,
        "statements": [statement | more],
    }


def render(**more):
    arguments = {
        "scale": "toy",
        "claims": make_claims(),
        "sections": [Section("one", "One", [make_figure()])],
        "hands": "",
        "facts": {"Rendered with": {"Python": "3.11"}},
        "parameters": {"seeds": [0]},
        "model_organism": True,
        "engineering": False,
    }
    return render_page(**(arguments | more))


class TestPage:
    def test_same_arguments_give_the_same_bytes(self):
        assert render() == render()

    def test_nothing_is_fetched(self):
        page = render()
        ours = page.replace(re.search(r"<script>(/\*\*.*?plotly.*?)</script>", page, re.DOTALL)[1], "")
        assert re.findall(r"""(?:src|href)=["'](?:https?:)?//(?!arxiv\.org)""", ours) == []
        assert len(ours) < 100_000

    def test_verdict_comes_with_mark_interval_basis_and_published_figure(self):
        page = render()
        assert '<span class="chip holds">✓ holds</span>' in page
        assert "+26.0 (+22.0 to +30.0)" in page
        assert "637 multisets; replicates alone: +25.0, −1.0" in page
        assert "replicates alone: 25\u00a0%, −1\u00a0%" in render(claims=make_claims(unit="share"))
        assert "Llama: RL − End: +6.0 (+1.0 to +12.0)<br>70–80 %" in page
        assert page.index('id="one"') < page.index('id="verdicts"')  # the first figure is what one sees first

    def test_an_exploratory_statement_has_no_verdict_and_says_why(self):
        claims = make_claims(confirmatory=False, verdict="exploratory", why_exploratory="without a placebo")
        page = render(claims=claims)
        assert "exploratory</span>" not in page
        assert "without a placebo" in page

    def test_a_scale_that_only_checks_says_that_its_figures_mean_nothing(self):
        assert MEANINGLESS in render(engineering=True)
        assert MEANINGLESS not in render()

    def test_tables_of_a_section_stand_below_its_figures(self):
        page = render(sections=[Section("one", "One", [make_figure()], {"Arms": [{"arm": HOSTILE, "OOD": "5.0"}]})])
        assert '<th scope="col">arm</th><th scope="col">OOD</th>' in page
        assert "<td>5.0</td>" in page
        assert "<img src=x" not in page

    def test_what_intervals_cover_is_said(self):
        page = render()
        assert describe_basis(3, conditional=False) in unescape(page)
        assert "conditional on this base and this seed" in render(claims=make_claims() | {"seeds": [0]})
        assert "3 replicates, conditional on this base" in render(claims=make_claims() | {"conditional": True})

    def test_every_figure_has_its_numbers(self):
        figures = [make_figure(key) for key in ("one", "two")]
        page = render(sections=[Section("part", "Part", figures)])
        downloads = dict(re.findall(r'download="(\w+)\.csv" href="data:text/csv;base64,([^"]+)"', page))
        assert set(downloads) == {"one", "two"}
        assert base64.b64decode(downloads["one"]).decode() == figures[0].table.to_csv(index=False, float_format="%.6g")

    def test_text_is_escaped(self):
        page = render(claims=make_claims(HOSTILE), parameters={"name": HOSTILE}, facts={"Facts": {HOSTILE: HOSTILE}})
        assert "<img src=x" not in page


def make_hands(outcomes, answers=("a", "b", "c")):
    return pd.DataFrame(
        {
            "split": ["ood", "id_seen", "ood"],
            "hand": [2, 1, 0],
            "multiset": ["m2", "m1", "m0"],
            "cards": ["J A A A", "2 3 4 5", "Q Q Q Q"],
            "base_met_multiset": True,
            "answer": answers,
            "outcome": outcomes,
            "passed": [outcome == "correct" for outcome in outcomes],
        }
    )


class TestHands:
    def test_rows_come_back(self):
        tuned = make_hands(["correct", "illegal", "correct"], ("x", "b", HOSTILE))
        models = {("base", None): make_hands(["illegal"] * 3), ("SFT step 5", 0): tuned}
        text = pack_hands(models, {"End": {0: "SFT step 5"}})
        assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)
        content = json.loads(gzip.decompress(base64.b64decode(text)))
        hands, model = content["hands"], content["models"][1]
        rows = {
            (content["splits"][split], hand): (cards, content["answers"][answer], content["outcomes"][outcome])
            for split, hand, cards, answer, outcome in zip(
                hands["split"], hands["hand"], hands["cards"], model["answer"], model["outcome"], strict=True
            )
        }
        assert rows == {
            ("ood", 2): ("J A A A", "x", "correct"),
            ("id_seen", 1): ("2 3 4 5", "b", "illegal"),
            ("ood", 0): ("Q Q Q Q", HOSTILE, "correct"),
        }
        assert [each["seed"] for each in content["models"]] == [None, 0]
        assert content["outcomes"] == OUTCOMES
        assert content["roles"] == {"End": {"0": "SFT step 5"}}

    def test_same_hands_same_text(self):
        models = {("base", None): make_hands(["correct"] * 3)}
        assert pack_hands(models, {}) == pack_hands(models, {})

    def test_other_hands_are_refused(self):
        models = {("base", None): make_hands(["correct"] * 3), ("late", 1): make_hands(["correct"] * 3).iloc[:2]}
        with pytest.raises(ValueError, match="late, replicate 1: 2 hands"):
            pack_hands(models, {})

    def test_every_model_of_a_study_can_be_asked_for(self, small_study_tables):
        names = {name for name, _ in name_hands(small_study_tables)}
        assert {"base", "main SFT step 40", "tuned SFT step 40", "plain RL from step 40"} <= names
        assert "interpolation donor=max_ood donor_share=0.5" in names
        assert list_roles(small_study_tables)["main end"] == dict.fromkeys(range(4), "main SFT step 40")


NO_PUBLISHED = [one for one in list_statements() if not one.published]


class TestReports:
    @pytest.fixture(scope="class")
    def reports(self, findings):
        return write_reports(findings, engineering=False, trained_here=True, selection_split="ood_select")

    def test_figures_that_are_shown_are_drawn(self, reports):
        from card24_pipeline.page.sections import FIGURE_KEYS

        shown = {name for text in reports.values() for name in re.findall(r"\]\((\w+)\.png\)", text)}
        assert shown <= set(FIGURE_KEYS)

    def test_numbers_are_those_of_the_estimates(self, reports):
        assert re.search(r"\| End − MaxOOD +\| −60\.0 \(", reports["report"])
        assert "20.0 → 30.0: +10.0 (" in reports["report_rl"]
        assert "of 96: 17 %" in reports["report_rl"]
        assert "top directions, MaxOOD" in reports["report_edits"]
        assert "From base to End" in reports["report_spectra"]

    def test_arms_have_both_spreads_beside_each_other(self, findings):
        rows = {(row["SFT arm"], row["checkpoint"], row["hands"]): row for row in table_paths(findings)}
        assert len(rows) == 4 * 3 * 2
        assert ("main (chosen for its effect)", "End", "ID, multisets of SFT") in rows
        assert ("main", "MaxOOD", "OOD") in rows
        row, found = rows["tuned", "SFT at ≥70 % ID", "OOD"], findings.find("pass@1", "tuned/id_70", split="ood")
        assert (row["estimate"], row["SE between replicates"], row["replicates"]) == ("75.0", "0.0", "4")
        assert row["SE between hands"] == f"{100 * found['se_hands']:.1f}"
        assert row["95% interval"] == f"{100 * found['low']:.1f} to {100 * found['high']:.1f}"

    def test_what_is_to_know_of_an_arm_stands_in_captions(self, findings, reports):
        told = "SFT arms: main (chosen for its effect), main_annealed, tuned, tuned_annealed."
        assert told in reports["report"]
        assert told in show_paths(findings).caption

    def test_arms_are_held_against_those_named_for_them(self, findings):
        rows = {(row["SFT arms"], row["checkpoint"], row["hands"]): row["estimate"] for row in table_arms(findings)}
        pairs = {pair for pair, _, _ in rows}
        assert pairs == {
            "main_annealed − main", "tuned − main", "tuned_annealed − tuned",
        }  # fmt: skip
        assert rows["tuned − main", "SFT at ≥70 % ID", "OOD"] == "+25.0"
        assert rows["main_annealed − main", "End", "OOD"] == "+5.0"

    def test_every_report_of_one_seed_is_conditional_on_its_base(self, study):
        study.seeds = (0,)
        reports = write_reports(study.find(), engineering=False, trained_here=True, selection_split="ood_select")
        assert all("conditional on this base and this seed" in text for text in reports.values())

    def test_reports_hold_no_verdict_words(self, reports):
        for text in reports.values():
            tables = "\n".join(line for line in text.splitlines() if line.startswith("|"))
            assert "holds" not in tables
            assert "does not hold" not in tables

    def test_a_scale_that_only_checks_says_so_on_every_report(self, findings):
        reports = write_reports(findings, engineering=True, trained_here=True, selection_split="low_select")
        assert "chosen on `low_select`; End" in reports["report"]
        for text in reports.values():
            assert MEANINGLESS in text

    def test_id_of_the_merge_comes_before_that_of_its_control(self, findings):
        rows = {row["control"]: row["ID of the merge, of the control"] for row in table_leads(findings)}
        assert rows["plain RL from End"] == "90.0 against 95.0"

    def test_claims_have_a_row_each(self, findings):
        claims = judge_statements(NO_PUBLISHED, findings, pd.DataFrame(), replicates=4)
        text = write_claims(make_claims() | {"statements": claims}, engineering=False)
        assert sum(line.startswith("|") for line in text.splitlines()) == 2 + 5 + len(claims)
        assert "****" not in text

    def test_the_finding_answers_in_three_sentences_with_intervals(self, findings):
        text = write_finding(findings, scale="toy", engineering=False, needed=4)
        sft, _, repairs = (line for line in text.splitlines() if line.startswith("- "))
        hotter, tuned, cooler = (line for line in text.splitlines() if line.startswith("  - "))
        assert re.search(r"SFT main \(chosen for its effect\)\*\* .* from 10\.0 \(.* through 50\.0 .* to 90\.0 \(", sft)
        assert re.search(r"on OOD from 60\.0 \(.* through 80\.0 \(.* to 20\.0 \([^)]*\) %\.$", sft)
        assert re.search(r"tuned − main: \+40\.0 \([^)]*\) at End \(ID \+5\.0 \(", tuned)
        assert re.search(r"\+25\.0 \([^)]*\) at equal ID \(SFT at ≥70 % ID, both in 4 of 4 replicates; ID", tuned)
        assert hotter.startswith("  - main_annealed − main: +5.0 (")
        assert cooler.startswith("  - tuned_annealed − tuned: +5.0 (")
        assert re.search(r"\*layers reset, MaxOOD, quarter 1\*, has \+60\.0 \(.* of OOD and \+0\.0 \(", repairs)
        assert re.search(r"RL has \+10\.0 \([^)]*\) of OOD and \+5\.0 \([^)]*\) of ID\.$", repairs)
        assert "verdict" not in text
        assert all(f"| {word} |" in text for word in GLOSSARY)

    def test_the_finding_of_few_replicates_says_that_it_holds_estimates_only(self, findings):
        text = write_finding(findings, scale="toy", engineering=False, needed=10)
        assert "estimates only, for a verdict takes 10 replicates" in text

    def test_the_finding_does_without_rl_edits_that_keep_id_and_other_arms(self, study):
        study.arms = {}
        study.edits = {"singular_values donor=max_ood": study.edits["singular_values donor=max_ood"]}
        empty = {name: getattr(study.tables(), name).iloc[:0] for name in ("rl_hand_scores", "rl_scores", "rl_history")}
        text = write_finding(study.find(**empty), scale="toy", engineering=False, needed=4)
        assert text.splitlines()[1] == "- **Repairs of its End**, in points to End: no edit keeps ID within a point."

    def test_model_card(self, findings):
        source = {"kind": "from_scratch", "architecture": {"layers": 4, "hidden_size": 192}}
        card = write_model_card(findings, {"source": source, "mixture": {"examples": 153600}}, engineering=False)
        assert "153,600 synthetic examples" in card
        assert "solve 60.0 % of the OOD hands" in card
        assert "4 replicates, each with a base of its own" in card
        assert "brings" not in card.partition("## Use")[0]
        folder = {"source": {"kind": "folder", "path": "models/mine"}, "mixture": {}}
        assert "taken from models/mine" in write_model_card(findings, folder, engineering=False)

    def test_data_card_counts_hands_and_multisets(self):
        hands = make_hands(["correct"] * 3)
        multisets = pd.DataFrame({"multiset": ["m0", "m1", "m1"], "split": ["ood", "sft", "other"]})
        card = write_data_card(hands, multisets, {"SFT examples": 21648})
        assert re.search(r"\| ood +\| OOD rule, for testing +\| 2 +\| 2 +\| 0 +\|", card)
        assert "2 in all" in card
        assert "21,648" in card
