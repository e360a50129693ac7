"""The nodes of findings and page, on the tables of a study in miniature, as the graph runs them."""

import json
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
PARAMS = FindingsParams(confidence=0.9, resamples=200, bootstrap_seed=0, engineering_only=True)
FACES = {"jack": 11, "queen": 12, "king": 13}
RULES = RulesParams.model_validate({"target": 24, "id": dict.fromkeys(FACES, 10), "ood": {"ood": FACES}})
BASE_MODEL = {"source": {"kind": "folder", "path": "models/mine"}, "mixture": {"examples": 7}}


@pytest.fixture(scope="module")
def inputs(small_study_tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    arms = {"plain": {"sft_arm": "main"}, "anchored": {"sft_arm": "main"}}
    made = {"seeds": [0, 1], "sft_arms": {"main": {}}, "rl_arms": arms, "edit_arms": {"main": {"sft_arm": "main"}}}
    for name in FRAMES:
        table = getattr(small_study_tables, name)
        keys = [key for key in KEYS if key in table]
        keys = keys if {"rl_arm", "edit_arm"}.isdisjoint(keys) else [key for key in keys if key != "sft_arm"]
        path = f"{folder}/{name}_{'_'.join(f'{{{key}}}' for key in keys)}.parquet"
        own = table.drop(columns=[*keys, "sft_arm"], errors="ignore")
        columns = {column: str(pa.array(own[column]).type) for column in own}
        made[name] = FanInFrames(path, dict.fromkeys(keys, "all"), columns, doubles_may_be_empty=True)
        whole = pd.MultiIndex.from_product([[0, 1], *([*(arms if key == "rl_arm" else ["main"])] for key in keys[1:])])
        for values in whole:
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
    return judge_claims(published, *found[:3], [0, 1], RULES, PARAMS)


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
    assert metrics["pass_at_1"]["ood"]["main/end"] == pytest.approx(0.2)
    assert json.loads(json.dumps(judged, allow_nan=False)) == judged


def test_page_shows_what_the_files_say(found, claims, inputs, tmp_path):
    file = tmp_path / "toy" / "claims.json"
    file.parent.mkdir()
    file.write_text("{}")
    settings = {"shown_base_model": BASE_MODEL, "shown_game": {"rules": RULES}}
    page, *figures = show_study(claims[0], file, *found[:3], rules=RULES, params=PARAMS, **inputs, **settings)
    assert len(figures) == len(FIGURE_KEYS)
    assert "its figures mean nothing" in page
    assert "OOD peaks before the last checkpoint of SFT" in page
    assert "estimates.csv" in page
    assert str(tmp_path) not in page


def test_reports_and_cards_are_written(found, claims, inputs, small_study_tables):
    hands = small_study_tables.base_hand_scores
    multisets = hands[["multiset", "split"]].drop_duplicates()
    texts = write_reports(
        claims[0],
        *found[:3],
        multisets,
        hands,
        hands,
        hands,
        BASE_MODEL,
        RULES,
        PARAMS,
        "ood_select",
        Path("toy/claims.json"),
    )
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
