"""The nodes of findings and page, on the tables of a study in miniature, as the graph runs them."""

import json
import re
from itertools import product
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from card24_pipeline.catalog.fan_in import FanInFrames
from card24_pipeline.findings.params import FindingsParams
from card24_pipeline.findings.reading import FRAMES, STUDY_INPUTS
from card24_pipeline.page.sections import FIGURE_KEYS
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.findings.estimate_quantities import estimate_quantities
from card24_pipeline.pipelines.findings.judge_claims import judge_claims
from card24_pipeline.pipelines.page.pipeline import REPORTS, create_pipeline
from card24_pipeline.pipelines.page.show_study import show_study
from card24_pipeline.pipelines.page.write_reports import write_reports

KEYS = ("seed", "sft_arm", "rl_arm", "edit_arm")
SEEDS = [0, 1, 2, 3]
PARAMS = FindingsParams(
    confidence=0.9,
    resamples=200,
    bootstrap_seed=0,
    replicates_for_verdicts=4,
    compare_arms={"tuned": "main"},
    arm_notes={"main": "chosen for its effect"},
    engineering_only=True,
)
FACES = {"jack": 11, "queen": 12, "king": 13}
RULES = RulesParams.model_validate({"target": 24, "id": dict.fromkeys(FACES, 10), "ood": {"ood": FACES}})
BASE_MODEL = {"source": {"kind": "folder", "path": "models/mine"}, "mixture": {"examples": 7}}


@pytest.fixture(scope="module")
def inputs(small_study_tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    rl_arms, edit_arms = small_study_tables.rl_arms, {"main": {"sft_arm": "main"}}
    sft_arms = {arm: {} for arm in small_study_tables.sft_hand_scores["sft_arm"].unique()}
    made = {"seeds": SEEDS, "sft_arms": sft_arms, "rl_arms": rl_arms, "edit_arms": edit_arms}
    lists = {"seed": SEEDS, "sft_arm": [*sft_arms], "rl_arm": [*rl_arms], "edit_arm": [*edit_arms]}
    for name in FRAMES:
        table = getattr(small_study_tables, name)
        keys = [key for key in KEYS if key in table]
        keys = keys if {"rl_arm", "edit_arm"}.isdisjoint(keys) else [key for key in keys if key != "sft_arm"]
        path = f"{folder}/{name}_{'_'.join(f'{{{key}}}' for key in keys)}.parquet"
        own = table.drop(columns=[*keys, "sft_arm"], errors="ignore")
        columns = {column: str(pa.array(own[column]).type) for column in own}
        made[name] = FanInFrames(path, dict.fromkeys(keys, "all"), columns, doubles_may_be_empty=True)
        for values in product(*(lists[key] for key in keys)):
            part = own[(table[keys] == list(values)).all(axis=1)]
            part.to_parquet(path.format(**dict(zip(keys, values, strict=True))), index=False)
    assert made.keys() == STUDY_INPUTS.keys()
    return made


@pytest.fixture(scope="module")
def found(inputs, tmp_path_factory):
    """The findings as they come back from files."""
    folder = tmp_path_factory.mktemp("findings")
    tables = estimate_quantities(**inputs, rules=RULES, params=PARAMS)
    read = []
    for number, table in enumerate(tables):
        table.to_csv(folder / f"{number}.csv", index=False, float_format="%.9g")
        read.append(pd.read_csv(folder / f"{number}.csv", keep_default_na=False, na_values=[""]))
    return read


@pytest.fixture(scope="module")
def claims(found):
    published = pd.read_csv("data/00_published/paper_results.csv")
    return judge_claims(published, *found[:3], SEEDS, RULES, PARAMS)


def test_plots_of_dvc_have_a_row_for_each_step_and_model(found):
    steps, points = found[3:]
    assert steps["step"].tolist() == [0, 10, 20, 40]
    assert steps["ood"].tolist() == pytest.approx([0.6, 0.8, 0.5, 0.2])
    assert points.set_index("model").loc["plain/from end", "id_seen"] == pytest.approx(0.95)


def test_claims_are_judged_on_the_estimates(found, claims):
    judged, metrics = claims
    rows = {row["key"]: row for row in judged["statements"]}
    assert rows["ood_peaks_before_end"]["verdict"] == "holds"
    assert rows["rl_from_end_raises_ood"]["verdict"] == "exploratory"
    assert len(rows["rl_from_end_raises_ood"]["published"]) == 2
    assert {row["key"] for row in judged["statements"] if row["claim"] == 5} == {
        "tuned_above_main_at_end",
        "tuned_above_main_at_equal_id",
    }
    assert metrics["pass_at_1"]["ood"]["main/end"] == pytest.approx(0.2)
    assert json.loads(json.dumps(judged, allow_nan=False)) == judged


def test_a_study_of_few_replicates_has_no_verdict_word_anywhere(found, inputs, small_study_tables, tmp_path):
    few = PARAMS.model_copy(update={"replicates_for_verdicts": 10})
    judged, metrics = judge_claims(pd.read_csv("data/00_published/paper_results.csv"), *found[:3], SEEDS, RULES, few)
    texts = write(judged, found, small_study_tables, few)
    page = show(judged, found, inputs, tmp_path, few)[0]
    shown = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    for text in (json.dumps([judged, metrics]), *texts[:-1], shown):
        assert not re.search(r"\bholds\b|does not hold|undecided", text, re.IGNORECASE)
    assert "no verdict on anything, which takes 10 replicates" in dict(zip(REPORTS, texts, strict=True))["claims_table"]
    assert {row["verdict"] for row in judged["statements"]} == {"exploratory"}
    assert {row["estimate"] is None for row in judged["statements"]} == {False}


def show(judged, found, inputs, folder, params=PARAMS):
    file = folder / "toy" / "claims.json"
    file.parent.mkdir()
    file.write_text("{}")
    settings = {"shown_base_model": BASE_MODEL, "shown_game": {"rules": RULES}}
    return show_study(judged, file, *found[:3], rules=RULES, params=params, **inputs, **settings)


def write(judged, found, tables, params=PARAMS):
    hands = tables.base_hand_scores
    multisets = hands[["multiset", "split"]].drop_duplicates()
    given = (multisets, hands, hands, hands, BASE_MODEL, RULES, params, "ood_select", Path("toy/claims.json"))
    return write_reports(judged, *found[:3], *given)


def test_page_shows_what_the_files_say(found, claims, inputs, tmp_path):
    page, *figures = show(claims[0], found, inputs, tmp_path)
    assert len(figures) == len(FIGURE_KEYS)
    assert "its figures mean nothing" in page
    assert "OOD peaks before the last checkpoint of SFT" in page
    assert "estimates.csv" in page
    assert str(tmp_path) not in page


def test_reports_and_cards_are_written(found, claims, small_study_tables):
    texts = write(claims[0], found, small_study_tables)
    assert len(texts) == len(REPORTS)
    for name, text in zip(REPORTS, texts, strict=True):
        assert text.startswith("# ") or name in ("claims_table", "finding")
        assert ("its figures mean nothing" in text) == (name != "data_card")
    assert all("| nan" not in text for text in texts)
    assert "pre-training examples (of each base from scratch) | 7" in texts[-1]


def test_outputs_are_named_in_the_order_of_the_nodes():
    outputs = {node.short_name: node.outputs for node in create_pipeline().nodes}
    assert [name.partition("@")[0] for name in outputs["write_reports"]] == list(REPORTS)
    assert outputs["show_study"][1:] == [f"{key}_figure" for key in FIGURE_KEYS]
