"""A Kedro project in miniature: shared hands, a score for each seed and arm, a report over them, at two scales."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"

FILES = {
    "pyproject.toml": """
[tool.kedro]
package_name = "toy"
project_name = "toy"
kedro_init_version = "1.7.0"
[tool.dvc_stages]
kept_in_git = "data/08_reporting"
[tool.dvc_stages.fan_out]
seed = {values = "seeds"}
arm = {values = "arms", imports = "toy.algorithms.{algorithm}"}
""",
    ".telemetry": "consent: false\n",
    "params.yaml": """
# Every knob.
seeds: [0, 1]  # one run each

game:
  count: 3
train:
  # How fast.
  steps: 4
  shape: {width: 8, depth: 2}
arms:
  slow: {algorithm: linear, rate: 0.5}
  fast: {algorithm: square, rate: 1.5}
""",
    "conf/base/globals.yml": "scale: base\n",
    "conf/base/catalog.yml": """
hands:
  type: pandas.ParquetDataset
  filepath: data/01_raw/${globals:scale}/shared/hands.parquet
scores@one:
  type: pandas.ParquetDataset
  filepath: data/07_model_output/${globals:scale}/seed_${runtime_params:seed}/${runtime_params:arm}/scores.parquet
scores@all:
  type: card24_pipeline.catalog.fan_in.FanInDataset
  filepath: data/07_model_output/${globals:scale}/seed_{seed}/{arm}/scores.parquet
  run: {seed: "${runtime_params:seed}", arm: "${runtime_params:arm}"}
  columns: {hand: int64, score: double}
progress:
  type: card24_pipeline.catalog.paths.ProgressFolderDataset
  filepath: data/progress/${globals:scale}/seed_${runtime_params:seed}/${runtime_params:arm}/train
  metadata: {dvc: {track: false}}
summary:
  type: json.JSONDataset
  filepath: data/08_reporting/${globals:scale}/summary.json
  metadata: {dvc: {metrics: true}}
""",
    "conf/smoke/globals.yml": "scale: smoke\n",
    "conf/smoke/parameters.yml": """
train:
  steps: 1
arms:
  _replace_: true
  slow: {algorithm: linear, rate: 2.0}
""",
    "src/toy/__init__.py": "",
    "src/toy/cli.py": "from card24_pipeline.cli import cli\n",
    "src/toy/settings.py": """
from card24_pipeline.hooks import ProjectHooks
from card24_pipeline.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS, DISABLE_HOOKS_FOR_PLUGINS

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
    steps: int
    shape: dict[str, int]

class ArmParams(Strict):
    algorithm: str
    rate: float

class Parameters(Strict):
    seeds: list[int]
    game: GameParams
    train: TrainParams
    arms: dict[str, ArmParams]
""",
    "src/toy/pipeline_registry.py": """
from kedro.pipeline import Pipeline, node
from toy.deal import deal_hands
from toy.report import write_report
from toy.train import train_model

def register_pipelines():
    return {"__default__": Pipeline([
        node(write_report, ["scores@all", "params:seeds", "params:arms"], "summary", name="write_report"),
        node(
            train_model,
            ["hands", "params:train", "params:arms", "params:arm", "params:seed", "progress"],
            "scores@one",
            name="train_model",
        ),
        node(deal_hands, "params:game.count", "hands", name="deal_hands"),
    ])}
""",
    "src/toy/numbers/__init__.py": "",
    "src/toy/numbers/ranks.py": "FIRST = 1\n",
    "src/toy/algorithms/__init__.py": "",
    "src/toy/algorithms/linear.py": "def score(hand, rate):\n    return hand * rate\n",
    "src/toy/algorithms/square.py": "def score(hand, rate):\n    return hand * hand * rate\n",
    "src/toy/deal.py": """
from toy.numbers.ranks import FIRST

def deal_hands(count):
    import pandas as pd
    return pd.DataFrame({"hand": range(FIRST, FIRST + count)})
""",
    "src/toy/train.py": """
from importlib import import_module
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from toy.report import write_report

def train_model(hands, train, arms, arm, seed, progress):
    assert progress.name == "train" and not progress.exists()
    block = arms[arm]
    assert "_replace_" not in arms
    score = import_module("toy.algorithms." + block["algorithm"]).score
    return hands.assign(score=score(hands["hand"], block["rate"]) + seed)
""",
    "src/toy/report.py": """
def write_report(scores, seeds, arms):
    frame = scores.read(seed=seeds, arm=arms)
    seeds = sorted(int(seed) for seed in frame["seed"].unique())
    return {"seeds": seeds, "arms": sorted(frame["arm"].unique()), "total": float(frame["score"].sum())}
""",
}


Tool = Callable[..., subprocess.CompletedProcess[str]]


def write_files(root: Path, files: Mapping[str, str]) -> Path:
    """Write texts by their paths below a folder, and return that."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), encoding="utf-8")
    return root


@pytest.fixture
def toy_project(tmp_path: Path) -> Path:
    """The project's files, in a folder of their own."""
    write_files(tmp_path, FILES)
    (tmp_path / "conf/base/parameters.yml").symlink_to("../../params.yaml")
    return tmp_path


@pytest.fixture
def replicated(toy_project: Path) -> Path:
    """The project with files of stages for each seed."""
    settings = toy_project / "pyproject.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('{values = "seeds"}', '{values = "seeds", folder = "seed_{seed}"}'))
    return toy_project


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
