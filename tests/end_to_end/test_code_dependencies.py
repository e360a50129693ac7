"""The walls between the rooms, as DVC sees them: which stages a change to a module can re-run."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
PACKAGE = "src/card24_pipeline/"

RL = {"train_rl", "train_rl_anchored"}
RL_SCORING = {"score_rl", "score_rl_anchored"}
WEIGHTS = {"measure_spectra", "score_recoveries"}
SCORING = {"score_base_model", "score_sft", "score_recoveries"} | RL_SCORING
SUPERVISED = {"obtain_base_model", "train_sft"}
VERDICTS = {"judge_claims", "render_study_page"}
DEALING = {"split_multisets", "deal_eval_hands", "deal_rl_hands", "render_sft_examples", "render_pretraining_examples"}

# Both arms of reinforcement learning run the same functions.
NODE_OF_ARM = {"train_rl_anchored": "train_rl", "score_rl_anchored": "score_rl"}

# Every stage that reads a module matching the pattern, and no other.
READERS = {
    "game/solver.py": DEALING | SCORING | RL,
    "game/solutions.py": {"render_sft_examples", "render_pretraining_examples"},
    "game/rewards.py": RL,
    "game/answers.py": SCORING | RL,
    "evaluation/scoring.py": SCORING,
    "evaluation/checkpoint_scoring.py": {"score_sft"} | RL_SCORING,
    "evaluation/divergence.py": {"score_sft"} | RL_SCORING,
    "training/*": SUPERVISED | RL,
    "training/language_modelling.py": SUPERVISED,
    "training/ppo.py": RL,
    "training/group_relative.py": RL,
    "reporting/*": {"report_sft", "report_rl", "report_spectra", "report_recovery", "write_cards"} | VERDICTS,
    "reporting/spectra_*.py": {"report_spectra"} | VERDICTS,
    "reporting/recovery_*.py": {"report_recovery"} | VERDICTS,
    "reporting/claims_accuracy.py": {"judge_claims"},
    "reporting/html_*.py": {"render_study_page"},
    "tracking/*": {"publish_study"},
    "provenance/files.py": {"render_study_page"},
    "provenance/machine.py": {"render_study_page", "publish_study"},
    "evaluation/processes.py": WEIGHTS,
    "spectral/decomposition.py": WEIGHTS,
    "spectral/merges.py": WEIGHTS,
    "weights/editing.py": WEIGHTS,
    "weights/recover.py": set(),
    "checkpoints/reader.py": WEIGHTS,
    "pipelines/recovery/params.py": {"score_recoveries"},
    "pipelines/spectra/params.py": {"measure_spectra"},
    "pipelines/game/rl_hands_params.py": {"deal_rl_hands"},
    "pipelines/sft/score_sft.py": {"score_sft"},
    "pipelines/sft/train_sft.py": {"train_sft"},
    "pipelines/sft/selection_params.py": {"select_checkpoints"},
    "pipelines/rl/train_rl.py": RL,
    "pipelines/rl/score_rl.py": RL_SCORING,
    "pipelines/rl/arm_params.py": RL,
    "pipelines/*/pipeline.py": set(),
    "pipelines/parameters.py": set(),
    "versioning/*": set(),
    "hooks.py": set(),
    "graph_view.py": set(),
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
    assert modules_by_stage.keys() >= NODE_OF_ARM.keys()
    for stage, modules in modules_by_stage.items():
        nodes = {path.stem for path in modules if path.match("pipelines/*/*.py") and path.stem in modules_by_stage}
        assert nodes == {NODE_OF_ARM.get(stage, stage)}


def _matcher(pattern: str):
    # Package markers are everybody's: a stage reads the `__init__` of each package on its way.
    return lambda path: path.match(pattern) and path.name != "__init__.py" and len(path.parts) == pattern.count("/") + 1
