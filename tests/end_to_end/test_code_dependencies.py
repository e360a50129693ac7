"""The walls between the rooms, as DVC sees them: which stages a change to a module can re-run."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
PACKAGE = "src/card24_pipeline/"

SCORING = {"score_base_model", "score_sft"}
TRAINING = {"obtain_base_model", "train_sft"}
DEALING = {"split_multisets", "deal_eval_hands", "render_sft_examples", "render_pretraining_examples"}

# Every stage that reads a module matching the pattern, and no other.
READERS = {
    "game/solver.py": DEALING | SCORING,
    "game/solutions.py": {"render_sft_examples", "render_pretraining_examples"},
    "game/rewards.py": set(),  # until there is RL
    "game/answers.py": SCORING,
    "evaluation/scoring.py": SCORING,
    "evaluation/divergence.py": {"score_sft"},
    "training/*": TRAINING,
    "reporting/*": {"report_sft"},
    "pipelines/sft/score_sft.py": {"score_sft"},
    "pipelines/sft/train_sft.py": {"train_sft"},
    "pipelines/sft/selection_params.py": {"select_checkpoints"},
    "pipelines/*/pipeline.py": set(),
    "pipelines/parameters.py": set(),
    "versioning/*": set(),
    "hooks.py": set(),
}


@pytest.fixture(scope="module", params=["dvc.yaml", "conf/smoke/dvc.yaml"])
def modules_by_stage(request: pytest.FixtureRequest) -> dict[str, list[PurePosixPath]]:
    stages = yaml.safe_load((PROJECT / request.param).read_text(encoding="utf-8"))["stages"]
    return {
        name: [PurePosixPath(path.removeprefix(PACKAGE)) for path in stage["deps"] if path.startswith(PACKAGE)]
        for name, stage in stages.items()
    }


@pytest.mark.parametrize(("pattern", "readers"), READERS.items(), ids=READERS)
def test_only_these_stages_read_it(
    modules_by_stage: dict[str, list[PurePosixPath]], pattern: str, readers: set[str]
) -> None:
    assert list((PROJECT / PACKAGE).glob(pattern)), "the pattern matches no module"
    found = {stage for stage, modules in modules_by_stage.items() if any(map(_matcher(pattern), modules))}
    assert found == readers


def test_each_stage_reads_its_own_node_and_no_other(modules_by_stage: dict[str, list[PurePosixPath]]) -> None:
    for stage, modules in modules_by_stage.items():
        nodes = {path.stem for path in modules if path.match("pipelines/*/*.py") and path.stem in modules_by_stage}
        assert nodes == {stage}


def _matcher(pattern: str):
    # Package markers are everybody's: a stage reads the `__init__` of each package on its way.
    return lambda path: path.match(pattern) and path.name != "__init__.py" and len(path.parts) == pattern.count("/") + 1
