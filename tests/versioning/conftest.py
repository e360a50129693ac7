"""A Kedro project in miniature: shared hands, a score per seed, a report over seeds, at two scales."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"

FILES = {
    "pyproject.toml": """
[tool.kedro]
package_name = "toy"
project_name = "toy"
kedro_init_version = "1.7.0"
""",
    ".telemetry": "consent: false\n",
    "params.yaml": """
# Every knob.
seed: 0
seeds: [0, 1]  # one run each

game:
  count: 3
train:
  # How fast.
  rate: 0.5
  steps: 4
  shape: {width: 8, depth: 2}
""",
    "conf/base/globals.yml": "scale: base\n",
    "conf/base/catalog.yml": """
hands:
  type: pandas.ParquetDataset
  filepath: data/01_raw/${globals:scale}/shared/hands.parquet
scores@seed:
  type: pandas.ParquetDataset
  filepath: data/07_model_output/${globals:scale}/seed_${runtime_params:seed,0}/scores.parquet
scores@all_seeds:
  type: card24_pipeline.catalog.per_seed.PerSeedDataset
  filepath: data/07_model_output/${globals:scale}/seed_{seed}/scores.parquet
  seed: ${runtime_params:seed,0}
progress:
  type: card24_pipeline.catalog.progress_folder.ProgressFolderDataset
  filepath: data/progress/${globals:scale}/seed_${runtime_params:seed,0}/train
  metadata: {dvc: {track: false}}
summary:
  type: json.JSONDataset
  filepath: data/08_reporting/${globals:scale}/summary.json
  metadata: {dvc: {metrics: true}}
""",
    "conf/smoke/globals.yml": "scale: smoke\n",
    "conf/smoke/parameters.yml": "train:\n  steps: 1\n",
    "src/toy/__init__.py": "",
    "src/toy/cli.py": "from card24_pipeline.cli import cli\n",
    "src/toy/settings.py": """
from card24_pipeline.hooks import ProjectHooks
from card24_pipeline.settings import CONFIG_LOADER_ARGS, DISABLE_HOOKS_FOR_PLUGINS

def load_model():
    from toy.parameters import Parameters
    return Parameters

HOOKS = (ProjectHooks(load_model),)
""",
    "src/toy/parameters.py": """
from pydantic import BaseModel, ConfigDict

class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

class GameParams(Strict):
    count: int

class TrainParams(Strict):
    rate: float
    steps: int
    shape: dict[str, int]

class Parameters(Strict):
    seed: int
    seeds: list[int]
    game: GameParams
    train: TrainParams
""",
    "src/toy/pipeline_registry.py": """
from kedro.pipeline import Pipeline, node
from toy.deal import deal_hands
from toy.report import write_report
from toy.train import train_model

def register_pipelines():
    return {"__default__": Pipeline([
        node(write_report, ["scores@all_seeds", "params:seeds"], "summary", name="write_report"),
        node(
            train_model,
            ["hands", "params:train", "params:seed", "progress"],
            "scores@seed",
            name="train_model",
        ),
        node(deal_hands, "params:game.count", "hands", name="deal_hands"),
    ])}
""",
    "src/toy/numbers/__init__.py": "",
    "src/toy/numbers/ranks.py": "FIRST = 1\n",
    "src/toy/deal.py": """
from toy.numbers.ranks import FIRST

def deal_hands(count):
    import pandas as pd
    return pd.DataFrame({"hand": range(FIRST, FIRST + count)})
""",
    "src/toy/train.py": """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from toy.report import write_report

def train_model(hands, train, seed, progress):
    assert progress.name == "train" and not progress.exists()
    return hands.assign(score=hands["hand"] * train["rate"] + seed)
""",
    "src/toy/report.py": """
def write_report(scores, seeds):
    frame = scores.read(seeds)
    seeds = sorted(int(seed) for seed in frame["seed"].unique())
    return {"seeds": seeds, "total": float(frame["score"].sum())}
""",
}


Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def toy_project(tmp_path: Path) -> Path:
    """The project's files, in a folder of their own."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), encoding="utf-8")
    (tmp_path / "conf/base/parameters.yml").symlink_to("../../params.yaml")
    return tmp_path


@pytest.fixture
def run_tool(toy_project: Path) -> Tool:
    """Runs a tool of this environment in the project."""
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCE),
        "KEDRO_DISABLE_TELEMETRY": "1",
        "DVC_NO_ANALYTICS": "1",
        "COLUMNS": "200",
    }
    for name in ("KEDRO_ENV", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        environment.pop(name, None)

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=toy_project, env=environment, capture_output=True, text=True, check=False)

    return run
