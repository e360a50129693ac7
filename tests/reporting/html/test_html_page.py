import base64
import gzip
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from card24_pipeline.reporting.cards import write_data_card, write_model_card
from card24_pipeline.reporting.html_figures import PageFigure, render_figure
from card24_pipeline.reporting.html_hands import OUTCOMES, pack_hands
from card24_pipeline.reporting.html_page import Section, render_page
from card24_pipeline.reporting.html_sections import StudyTables, build_sections, list_models, list_roles
from card24_pipeline.reporting.html_training import show_accuracy

TEMPLATE = (Path(__file__).parents[3] / "src/card24_pipeline/reporting/templates/page.html.j2").read_text()
HOSTILE = "</script><img src=x onerror=alert(1)>"


def make_figure(key="one", **more):
    table = pd.DataFrame(
        {
            "panel": ["left", "left", "right"],
            "series": ["a", "b", "a"],
            "x": [1, 1, 2],
            "y": [0.1, 0.2, 0.3],
            "low": [0.0, 0.1, 0.2],
            "high": [0.2, 0.3, 0.4],
            "note": [HOSTILE, "", ""],
        }
    )
    return PageFigure(key, f"Figure {key}", "A caption.", table, "x", "y", **more)


def make_claims(text="OOD peaks early"):
    statement = {
        "claim": 1, "key": "one", "text": text, "unit": "points", "side": "above", "bound": 0.0,
        "by_construction": True, "estimate": 0.26, "low": 0.22, "high": 0.3, "level": 0.99,
        "p_value": 0.001, "p_holm": 0.002,
        "cluster": "multiset", "clusters": 637, "seeds": 3,
        "by_seed": {"0": 0.25, "1": None, "2": -0.01}, "verdict": "holds", "note": "", "published_note": "70–80 %",
        "published": [{"label": "Llama: RL − End", "estimate": 0.06, "low": 0.01, "high": 0.12, "hands": 234}],
    }  # fmt: skip
    return {
        "confidence": 0.95,
        "seeds": [0, 1, 2],
        "titles": {"1": "OOD falls", "2": "Vectors turn"},
        "statements": [statement],
    }


def render(**more):
    arguments = {
        "scale": "toy",
        "claims": make_claims(),
        "sections": [Section("one", "One", figures=[make_figure()])],
        "hands": "",
        "facts": {"Rendered with": {"Python": "3.11"}},
        "parameters": {"seeds": [0]},
        "model_organism": True,
    }
    return render_page(TEMPLATE, **(arguments | more))


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
        assert "637 multisets; seeds alone: +25.0, –, −1.0" in page
        shares = make_claims()
        shares["statements"][0]["unit"] = "share"
        assert "seeds alone: 25\u00a0%, –, −1\u00a0%" in render(claims=shares)
        assert "Llama: RL − End +6.0 (+1.0 to +12.0)<br>70–80 %" in page
        assert page.index('id="verdicts"') < page.index('id="one"')

    def test_every_figure_has_its_numbers(self):
        figures = [make_figure(key) for key in ("one", "two")]
        page = render(sections=[Section("part", "Part", figures=figures)])
        downloads = dict(re.findall(r'download="(\w+)\.csv" href="data:text/csv;base64,([^"]+)"', page))
        assert set(downloads) == {"one", "two"}
        assert base64.b64decode(downloads["one"]).decode() == figures[0].table.to_csv(index=False, float_format="%.6g")

    def test_text_is_escaped(self):
        page = render(claims=make_claims(HOSTILE), parameters={"name": HOSTILE}, facts={"Facts": {HOSTILE: HOSTILE}})
        assert "<img src=x" not in page

    def test_what_is_missing_is_said(self):
        page = render(claims=None, sections=[Section("rl", "RL", missing="RL has not been run yet.")])
        assert "have not been judged yet" in page
        assert '<p class="missing">RL has not been run yet.</p>' in page
        assert "No hands have been scored yet" in page
        assert "plotly" not in page.lower()


class TestFigure:
    def test_rl_stands_beside_the_seeds_that_it_started_from(self):
        curves = pd.DataFrame(
            {"split": "ood", "base_met_multiset": "all", "step": [0, 10], "pass_at_1": [0.1, 0.2], "low": 0.0}
        ).assign(high=0.3)
        gains = pd.DataFrame(
            {"arm": ["plain", "anchored"], "split": "ood", "from_step": 10, "before": 0.25, "after": [0.3, 0.28]}
        ).assign(low=0.01, high=0.06, seeds=2)
        figure = show_accuracy(curves, gains)
        rows = figure.table.set_index(["series", "x"])
        assert rows.loc[("the same seeds before RL", "10"), "y"] == 0.25
        assert rows.loc[("after RL", "10"), ["y", "low", "high"]].tolist() == pytest.approx([0.3, 0.26, 0.31])
        assert rows["note"].tolist() == ["step 0", "step 10", *["step 10, seeds: 2"] * 3]
        assert render_figure(figure).count('"mode":"markers"') == 3

    @pytest.mark.parametrize("mode", ["lines", "points", "bars"])
    def test_ids_are_fixed(self, mode):
        html = render_figure(make_figure(mode=mode))
        assert html == render_figure(make_figure(mode=mode))
        assert 'id="plot-one"' in html

    def test_a_series_stands_in_the_legend_once(self):
        html = render_figure(make_figure())
        assert html.count('"showlegend":true') == 2
        assert html.count('"showlegend":false') == 1


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


def unpack(text):
    return json.loads(gzip.decompress(base64.b64decode(text)))


class TestHands:
    def test_rows_come_back(self):
        tuned = make_hands(["correct", "illegal", "correct"], ("x", "b", HOSTILE))
        models = {("base", None): make_hands(["illegal"] * 3), ("SFT step 5", 0): tuned}
        text = pack_hands(models, {"End": {0: "SFT step 5"}})
        assert re.fullmatch(r"[A-Za-z0-9+/=]+", text)
        content = unpack(text)
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
        with pytest.raises(ValueError, match="late, seed 1: 2 hands"):
            pack_hands(models, {})


ARMS = {"plain": None, "anchored": None}
TABLES = ("sft_hands", "selected", "curves", "spectra", "by_index", "points", "chosen", "recovery_hands")
NOTHING = dict.fromkeys(TABLES)


class TestSections:
    def test_before_anything_was_run_every_section_says_how(self):
        study = StudyTables(base_hands=make_hands(["correct"] * 3), rl_hands=ARMS, rl_history=ARMS, **NOTHING)
        sections = build_sections(study, 10, 0.95, 0)
        assert all("has not been run yet" in section.missing and not section.figures for section in sections)
        assert list(list_models(study)) == [("base", None)]
        assert list_roles(study) == {}

    def test_sft_alone_is_shown_without_rl(self):
        sft = pd.concat([make_hands(["correct"] * 3).assign(seed=0, step=step) for step in (10, 40)])
        curves = pd.DataFrame(
            {
                "split": "ood",
                "base_met_multiset": "all",
                "step": [0, 10],
                "pass_at_1": [0.1, 0.2],
                "low": 0.0,
                "high": 0.3,
            }
        )
        selected = pd.DataFrame({"seed": 0, "role": ["max_ood", "end"], "step": [10, 40]})
        given = NOTHING | {"sft_hands": sft, "curves": curves, "selected": selected}
        study = StudyTables(base_hands=make_hands(["illegal"] * 3), rl_hands=ARMS, rl_history=ARMS, **given)
        sections = {section.key: section for section in build_sections(study, 10, 0.95, 0)}
        assert [figure.key for figure in sections["training"].figures] == ["accuracy"]
        assert "RL has not been run" in sections["training"].missing
        (outcomes,) = sections["errors"].figures
        shares = outcomes.table.set_index(["panel", "x", "series"])["y"]
        assert shares["OOD", "End", "correct"] == shares["OOD", "the base", "illegal"] == 1
        assert list(list_models(study)) == [("base", None), ("SFT step 10", 0), ("SFT step 40", 0)]
        assert list_roles(study) == {"MaxOOD": {0: "SFT step 10"}, "End": {0: "SFT step 40"}}


class TestCards:
    def test_model_card_says_what_the_model_is(self):
        points = pd.DataFrame({"variant": ["base", "max_ood", "uv"], "donor": ["", "", "base"]})
        points = points.assign(id_seen_pass_at_1=0.1, id_heldout_pass_at_1=0.2, ood_pass_at_1=[0.3, 0.4, 0.5])
        source = {"kind": "from_scratch", "architecture": {"layers": 4, "hidden_size": 192}}
        card = write_model_card({"source": source, "mixture": {"examples": 1000}}, points, 3)
        assert "model organism" in card
        assert "| base | 10.0 | 20.0 | 30.0 |" in card
        assert "The base itself solves 30.0% of the OOD hands in the format of the prompts, MaxOOD 40.0%." in card
        assert "| uv |" not in card
        assert "model organism" not in write_model_card({"source": {"kind": "folder", "path": "mine"}}, points, 3)

    def test_data_card_counts(self):
        hands = pd.DataFrame(
            {"split": ["ood", "ood", "ood"], "multiset": ["a", "a", "b"], "base_met_multiset": [True, True, False]}
        )
        card = write_data_card(hands, pd.DataFrame({"multiset": ["a", "b"]}), {"SFT examples": 1234})
        assert "| ood | OOD rule, for every claim | 3 | 2 | 1 |" in card
        assert "| SFT examples | 1,234 |" in card
