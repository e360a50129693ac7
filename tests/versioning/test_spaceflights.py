"""A project that has nothing to do with cards, in the shape of Kedro's spaceflights starter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.versioning.conftest import Tool, write_files

NODES = "src/flights/pipelines"
FILES = {
    "pyproject.toml": """
[tool.kedro]
package_name = "flights"
project_name = "Flights"
kedro_init_version = "1.7.0"
""",
    ".telemetry": "consent: false\n",
    "conf/base/catalog.yml": """
companies: {type: pandas.CSVDataset, filepath: data/01_raw/companies.csv}
shuttles: {type: pandas.CSVDataset, filepath: data/01_raw/shuttles.csv}
clean_companies: {type: pandas.ParquetDataset, filepath: data/02_intermediate/companies.parquet}
clean_shuttles: {type: pandas.ParquetDataset, filepath: data/02_intermediate/shuttles.parquet}
model_input: {type: pandas.ParquetDataset, filepath: data/03_primary/model_input.parquet}
regressor: {type: pickle.PickleDataset, filepath: data/06_models/regressor.pickle}
metrics: {type: json.JSONDataset, filepath: data/08_reporting/metrics.json, metadata: {dvc: {metrics: true}}}
""",
    "conf/base/parameters.yml": "",
    "conf/base/parameters_processing.yml": "processing: {percent: '%'}\n",
    "conf/base/parameters_science.yml": "science: {test_share: 0.5, features: [engines, rating]}\n",
    "conf/local/credentials.yml": "{}\n",
    "data/01_raw/companies.csv": "id,rating\n1,90%\n2,80%\n3,70%\n4,60%\n",
    "data/01_raw/shuttles.csv": "company,engines,price\n1,1,10\n2,2,20\n3,3,30\n4,4,40\n",
    "src/flights/__init__.py": "",
    "src/flights/cli.py": "from card24_pipeline.cli import cli\n",
    "src/flights/settings.py": "DISABLE_HOOKS_FOR_PLUGINS = ('kedro-viz', 'kedro-telemetry')\n",
    "src/flights/pipeline_registry.py": """
from kedro.framework.project import find_pipelines

def register_pipelines():
    pipelines = find_pipelines(raise_errors=True)
    return {**pipelines, "__default__": sum(pipelines.values())}
""",
    f"{NODES}/__init__.py": "",
    f"{NODES}/processing/__init__.py": "from .pipeline import create_pipeline\n",
    f"{NODES}/processing/nodes.py": """
def clean_companies(companies, processing):
    rating = companies["rating"].str.removesuffix(processing["percent"]).astype(float)
    return companies.assign(rating=rating)

def clean_shuttles(shuttles):
    return shuttles.dropna()

def join_tables(companies, shuttles):
    return shuttles.merge(companies, left_on="company", right_on="id")
""",
    f"{NODES}/processing/pipeline.py": """
from kedro.pipeline import Pipeline, node
from .nodes import clean_companies, clean_shuttles, join_tables

def create_pipeline(**kwargs):
    return Pipeline([
        node(clean_companies, ["companies", "params:processing"], "clean_companies", name="clean_companies_node"),
        node(clean_shuttles, "shuttles", "clean_shuttles", name="clean_shuttles_node"),
        node(join_tables, ["clean_companies", "clean_shuttles"], "model_input", name="join_tables_node"),
    ])
""",
    f"{NODES}/science/__init__.py": "from .pipeline import create_pipeline\n",
    f"{NODES}/science/nodes.py": """
def split(table, science):
    inside = int(len(table) * (1 - science["test_share"]))
    x, y = table[science["features"]], table["price"]
    return x[:inside], x[inside:], y[:inside], y[inside:]

def fit(x, y):
    return {"slope": float((y / x["engines"]).mean())}

def evaluate(regressor, x, y):
    return {"error": float((regressor["slope"] * x["engines"] - y).abs().max())}
""",
    f"{NODES}/science/pipeline.py": """
from kedro.pipeline import Pipeline, node
from .nodes import evaluate, fit, split

def create_pipeline(**kwargs):
    return Pipeline([
        node(split, ["model_input", "params:science"], ["x_train", "x_test", "y_train", "y_test"], name="split_node"),
        node(fit, ["x_train", "y_train"], "regressor", name="fit_node"),
        node(evaluate, ["regressor", "x_test", "y_test"], "metrics", name="evaluate_node"),
    ])
""",
}


@pytest.fixture
def toy_project(tmp_path: Path) -> Path:
    """The project that ``run_tool`` runs in."""
    return write_files(tmp_path, FILES)


def reproduce(run_tool: Tool) -> list[str]:
    result = run_tool("dvc", "repro")
    assert result.returncode == 0, result.stdout + result.stderr
    return re.findall(r"Running stage '([^']+)'", result.stdout)


def test_runs_stage_by_stage_and_then_nothing(toy_project: Path, run_tool: Tool) -> None:
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["kedro", "dvc", "sync"]):
        result = run_tool(*command)
        assert result.returncode == 0, result.stderr
    stages = yaml.safe_load((toy_project / "dvc.yaml").read_text())["stages"]
    assert list(stages) == ["clean_companies_node", "clean_shuttles_node", "join_tables_node", "evaluate_node"]
    assert stages["clean_companies_node"]["params"] == [{"conf/base/parameters_processing.yml": ["processing"]}]
    nodes = [f"{NODES}/{name}" for name in ("__init__.py", "science/__init__.py", "science/nodes.py")]
    assert stages["evaluate_node"] == {
        "cmd": "kedro run --env=local --nodes=split_node,fit_node,evaluate_node",
        "deps": [
            "data/03_primary/model_input.parquet",
            "src/flights/__init__.py",
            *nodes,
            f"{NODES}/science/pipeline.py",
        ],
        "params": [{"conf/base/parameters_science.yml": ["science"]}],
        "outs": ["data/06_models/regressor.pickle", "data/08_reporting/metrics.json"],
    }
    assert reproduce(run_tool) == list(stages)
    assert yaml.safe_load((toy_project / "data/08_reporting/metrics.json").read_text()) == {"error": 0.0}
    assert reproduce(run_tool) == []
    science = toy_project / "conf/base/parameters_science.yml"
    science.write_text(science.read_text().replace("0.5", "0.25"))
    assert reproduce(run_tool) == ["evaluate_node"]


def test_versioned_dataset_is_refused_in_a_line(toy_project: Path, run_tool: Tool) -> None:
    catalog = toy_project / "conf/base/catalog.yml"
    catalog.write_text(catalog.read_text().replace("regressor.pickle", "regressor.pickle, versioned: true"))
    result = run_tool("kedro", "dvc", "sync")
    message = "Error: scale local: dataset 'regressor': `versioned: true` and DVC exclude each other: drop the former"
    assert (result.returncode, result.stderr.splitlines()[-1]) == (1, message)
    assert not (toy_project / "dvc.yaml").exists()


def test_outputs_lie_where_the_settings_say(toy_project: Path, run_tool: Tool) -> None:
    settings = toy_project / "pyproject.toml"
    settings.write_text(f"{settings.read_text()}[tool.dvc_stages]\noutputs = 'results/all'\n")
    result = run_tool("kedro", "dvc", "sync")
    assert (
        "Error: scale local: node 'clean_companies_node' writes 'clean_companies' outside results/all/" in result.stderr
    )
    catalog = toy_project / "conf/base/catalog.yml"
    catalog.write_text(re.sub(r"data/(0[2-8])", r"results/all/\1", catalog.read_text()))
    assert run_tool("kedro", "dvc", "check").returncode == 1
    assert run_tool("kedro", "dvc", "sync").returncode == 0
    assert "results/all/08_reporting/metrics.json" in (toy_project / "dvc.yaml").read_text()
