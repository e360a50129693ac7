"""No number of a study stands in two places with different values: all are rows of estimates.csv, or round them."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from benchmarks.study_clone import StudyClone
from card24_pipeline.findings.gathering import open_findings
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.findings.params import FindingsParams
from card24_pipeline.findings.statements import list_statements
from card24_pipeline.page.edit_figures import RL_SERIES, list_edited
from card24_pipeline.page.sft_paths import list_paths
from card24_pipeline.page.titles import describe_knob
from card24_pipeline.pipelines.page.show_study import show_study
from card24_pipeline.settings import CONFIG_LOADER_ARGS
from card24_pipeline.tracking.children import StudyTables
from card24_pipeline.tracking.study import put_study_together
from card24_pipeline.versioning.config_loader import FanOutConfigLoader
from tests.pipelines import test_findings_and_page as miniature
from tests.pipelines.test_findings_and_page import claims, found, inputs  # noqa: F401 (fixtures)

LEVEL, RECOVERED = "pass@1", "recovered share of the loss"
SPLITS = ("id_seen", "id_heldout", "ood_select", "ood")
ROUNDED = {"rel": 1e-5, "abs": 1e-9}  # to six digits


@dataclass(frozen=True)
class Run:
    """What MLflow shows of a run."""

    name: str
    params: dict[str, str]
    metrics: dict[str, float]


@dataclass(frozen=True)
class Written:
    """What a study wrote."""

    findings: Findings
    claims: dict[str, Any]
    headline: dict[str, Any]
    steps: pd.DataFrame
    points: pd.DataFrame
    page: str
    pooled: dict[str, float]  # metrics of the parent run
    runs: list[Run]

    def level(self, model: str, split: str, scope: str = "all replicates") -> float:
        """Look pass@1 up in the estimates."""
        row = self.findings.find(LEVEL, model, split=split, scope=scope)
        assert row is not None, (model, split, scope)
        return row["estimate"]


@pytest.fixture(scope="module")
def smoke(clone: StudyClone) -> Written:
    """The smoke study, whose models solve nothing, with what MLflow has of it."""
    folder = clone.root / "data/08_reporting/smoke"
    names = ("models", "estimates", "rl_runs", "accuracy_by_step", "edit_points")
    tables = [pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""]) for name in names]
    judged = json.loads((folder / "claims.json").read_text(encoding="utf-8"))
    headline = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    page = (clone.root / "data/09_page/smoke/report.html").read_text(encoding="utf-8")
    parent, *children = read_runs(clone)
    loader = FanOutConfigLoader(clone.root / "conf", "smoke", fill_keys=False, **CONFIG_LOADER_ARGS)
    params = FindingsParams.model_validate(loader["parameters"]["findings"])
    opened = open_findings(*tables[:3], ood="ood", params=params)
    return Written(opened, judged, headline, *tables[3:], page, parent.metrics, children)


def read_runs(clone: StudyClone) -> list[Run]:
    """Read what MLflow has of the study as its files are now, the parent first."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{clone.root}/mlflow.db")
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    published = json.loads((clone.root / "data/08_reporting/smoke/published.json").read_text(encoding="utf-8"))
    runs = client.search_runs(experiments, f"tags.`card24.study` = '{published['study']}'", max_results=1000)
    assert len(runs) == published["runs"]
    runs.sort(key=lambda run: run.data.tags["card24.kind"] != "study")
    return [Run(run.info.run_name, run.data.params, run.data.metrics) for run in runs]


@pytest.fixture(scope="module")
def small(found, claims, inputs, small_study_tables, tmp_path_factory) -> Written:  # noqa: F811
    """The study in miniature, through its nodes, and the runs that would be published."""
    judged, headline = claims
    file = tmp_path_factory.mktemp("page") / "claims.json"
    file.write_text("{}", encoding="utf-8")
    shown = {"shown_base_model": miniature.BASE_MODEL, "shown_game": {"rules": miniature.RULES}}
    page = show_study(judged, file, *found[:3], rules=miniature.RULES, params=miniature.PARAMS, **inputs, **shown)[0]
    opened = open_findings(*found[:3], ood="ood", params=miniature.PARAMS)
    # The published draws have shares too; a run's is that of the claims' hands.
    others = opened.estimates.query("quantity == @RECOVERED").assign(split="published_ood", estimate=9.0)
    parent, *children = build_runs(small_study_tables, pd.concat([opened.estimates, others]), headline)
    return Written(opened, judged, headline, *found[3:], page, parent.metrics, children)


def build_runs(tables: Any, estimates: pd.DataFrame, headline: dict[str, Any]) -> Iterator[Run]:
    def score(hands: pd.DataFrame, *keys: str) -> pd.DataFrame:
        levels = (
            hands.groupby([*keys, "split"], as_index=False)["passed"].mean().rename(columns={"passed": "pass_at_1"})
        )
        return levels.assign(base_met_multiset="all", card_to_number_accuracy=0.5, forward_kl_nats=0.0)

    read = StudyTables(
        base_scores=score(tables.base_hand_scores, "seed"),
        sft_scores=score(tables.sft_hand_scores, "seed", "sft_arm", "step"),
        sft_history=tables.selected_checkpoints.assign(training_flops=1.0)[
            ["seed", "sft_arm", "step", "training_flops"]
        ],
        selected_checkpoints=tables.selected_checkpoints,
        rl_scores=score(tables.rl_hand_scores, "seed", "rl_arm", "from_step"),
        rl_history=tables.rl_history.drop(columns="sft_arm"),
        edit_variants=tables.edit_variants,
        edit_scores=score(tables.edit_hand_scores, "seed", "edit_arm", "variant"),
        estimates=estimates,
    )
    rl_arms = {name: arm | {"algorithm": "ppo"} for name, arm in tables.rl_arms.items()}
    settings = {"rl_arms": rl_arms, "edit_arms": {"main": {"sft_arm": "main"}}}
    study = put_study_together(
        read,
        settings | {"game": {"rules": {"ood": {"ood": {}}}}},
        [],
        headline,
        scale="toy",
        checkpoints="models",
        artifacts={},
        provenance={},
    )
    for record in (study.parent, *study.children):
        last = {each.name: each.value for each in sorted(record.metrics, key=lambda each: each.step)}
        yield Run(record.key, dict(record.params), last)


@pytest.fixture(scope="module", params=["small", "smoke"])
def written(request: pytest.FixtureRequest) -> Written:
    return request.getfixturevalue(request.param)


def test_statements_are_estimates(written: Written) -> None:
    judged = {row["key"]: row for row in written.claims["statements"]}
    measured = {one.key: one.measure(written.findings).row for one in list_statements(written.findings.arm_pairs)}
    assert judged.keys() == measured.keys()
    assert [key for key, row in measured.items() if row is not None] != []
    table = written.findings.estimates
    for key, row in measured.items():
        if row is None:
            assert judged[key]["estimate"] is None
            continue
        names = ("quantity", "subject", "reference", "split", "hands", "change_model")
        rows = table[(table[list(names)] == [row[name] for name in names]).all(axis=1)].set_index("scope")
        shown = {name: judged[key][name] for name in ("estimate", "low", "high")}
        assert shown == rows.loc["all replicates", list(shown)].to_dict(), key
        assert judged[key]["by_seed"] == rows["estimate"].drop("all replicates").to_dict(), key


def test_headline_figures_are_estimates_and_statements(written: Written) -> None:
    levels = written.headline["pass_at_1"]
    assert set(levels) == {"id_seen", "id_heldout", "ood"}
    for split, by_model in levels.items():
        arm = written.findings.sft_arm
        assert {"base", f"{arm}/max_ood", f"{arm}/end", "plain/from end", "anchored/from end"} <= set(by_model)
        for model, level in by_model.items():
            assert level == pytest.approx(written.level(model, split), **ROUNDED)
    statements = [row for row in written.claims["statements"] if row["estimate"] is not None]
    expected = {row["key"]: pytest.approx(row["estimate"], abs=1e-6) for row in statements}
    assert written.headline["claims"] == expected
    assert sum(written.headline["verdicts"].values()) == len(written.claims["statements"])


def test_plots_of_dvc_are_estimates(written: Written) -> None:
    steps, points = written.steps, written.points
    by_step = [f"{written.findings.sft_arm}/step {step}" if step else "base" for step in steps["step"]]
    for table, named in ((steps, by_step), (points, points["model"])):
        assert set(SPLITS) <= set(table)
        assert len(table) > 3
        for split in SPLITS:
            expected = [written.level(model, split) for model in named]
            assert table[split].tolist() == pytest.approx(expected, **ROUNDED)


def test_frontier_of_the_page_is_made_of_estimates(written: Written) -> None:
    link = re.search(r'download="frontier.csv" href="data:text/csv;base64,([^"]+)"', written.page)
    assert link is not None
    drawn = pd.read_csv(io.BytesIO(base64.b64decode(link[1]))).fillna({"note": ""})
    findings = written.findings
    edits = [(row, series) for row, series in list_edited(findings) if row["kind"] == "edit"]
    models = {(series, describe_knob(row)): row["model"] for row, series in edits}
    runs = [row["model"] for row, _ in list_edited(findings) if row["kind"] == "rl"]
    models |= {(RL_SERIES, findings.title(model)): model for model in runs}
    paths = {(arm, findings.title(model)): model for arm, named in list_paths(findings).items() for model in named}
    assert set(zip(drawn["series"], drawn["note"], strict=True)) == models.keys() | paths.keys()
    for row in drawn.to_dict("records"):
        place = row["series"], row["note"]
        model = (models | paths)[place]
        level = findings.find(LEVEL, model, split="ood")
        assert [row["x"], row["y"]] == pytest.approx([written.level(model, "id_seen"), level["estimate"]], **ROUNDED)
        if place in models:
            assert [row["low"], row["high"]] == pytest.approx([level["low"], level["high"]], **ROUNDED)


def test_published_runs_are_estimates(written: Written) -> None:
    assert len([name for name in written.pooled if name.endswith("ood_pass_at_1")]) > 5
    for name, value in written.pooled.items():
        model, _, metric = name.rpartition(" ")
        if metric.endswith("_pass_at_1"):
            assert value == pytest.approx(written.level(model, metric.removesuffix("_pass_at_1")), **ROUNDED)
    compared = 0
    for run in written.runs:
        model, scope = name_model(run), f"replicate {run.params.get('seed')}"
        if model is None:
            continue
        for split in SPLITS:
            assert run.metrics[f"{split}_pass_at_1"] == pytest.approx(written.level(model, split, scope), **ROUNDED)
            compared += 1
        shares = written.findings.estimates.query("quantity == @RECOVERED and subject == @model and scope == @scope")
        expected = shares.loc[shares["split"] == "ood", "estimate"].tolist()
        assert [run.metrics[name] for name in ("recovered_share",) if name in run.metrics] == pytest.approx(expected)
    assert compared > 20


def name_model(run: Run) -> str | None:
    """Name the model of a run as the findings do; None of steps without a role, which have no figure of a seed."""
    title, role = run.name.rpartition(", seed")[0], run.params.get("role", "").partition(",")[0]
    arm, _, described = title.partition(": ")
    if run.params["method"] == "base":
        return "base" if "seed" in run.params else None
    if not role:
        return None
    if described.startswith("sft step"):
        return f"{arm}/{role}"
    return f"{arm}/from {role}" if " from step " in described else f"{arm}/{described}"
