"""The walls between the rooms, as DVC sees them: which stages a change to a module can re-run."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
PACKAGE = "src/card24_pipeline/"

RL = {"train_rl"}
EDITS = {"score_edits"}
SPECTRA = {"measure_sft_spectra", "measure_rl_spectra"}
SCORING = {"score_base_model", "score_sft", "score_rl"} | EDITS
SUPERVISED = {"obtain_base_model", "train_sft"}
FINDINGS = {"estimate_quantities", "judge_claims"}
PAGE = {"show_study", "write_reports"}
DEALING = {"split_multisets", "deal_eval_hands", "deal_rl_hands", "render_sft_examples", "render_pretraining_examples"}

# Every node whose stages read a module matching the pattern, and no other.
READERS = {
    "game/solver.py": DEALING | SCORING | RL,
    "game/solutions.py": {"render_sft_examples", "render_pretraining_examples"},
    "game/answers.py": SCORING | RL,
    "evaluation/scoring.py": SCORING,
    "evaluation/checkpoint_scoring.py": {"score_sft", "score_rl"},
    "evaluation/divergence.py": {"score_sft", "score_rl"},
    "evaluation/variant_scoring.py": EDITS,
    "evaluation/processes.py": SPECTRA | EDITS,
    "evaluation/spectra.py": SPECTRA,
    "training/*": SUPERVISED | RL,
    "training/language_modelling.py": SUPERVISED,
    "training/rl_run.py": RL,
    "training/ppo.py": RL,
    "training/group_*.py": set(),
    "training/grpo.py": set(),
    "training/rloo.py": set(),
    "spectral/decomposition.py": SPECTRA | EDITS | PAGE,
    "spectral/merges.py": EDITS | PAGE,
    "spectral/movement.py": SPECTRA,
    "edits/edit.py": EDITS,
    "edits/applying.py": EDITS,
    # What names methods by their titles reads them all.
    "edits/registry.py": EDITS | PAGE,
    "edits/methods/*.py": EDITS | PAGE,
    "checkpoints/reader.py": SPECTRA | EDITS,
    "checkpoints/lora.py": set(),
    "tools/*": set(),
    "study/vocabulary.py": FINDINGS | PAGE | {"publish_study"},
    "findings/*": FINDINGS | PAGE,
    "findings/judge.py": {"judge_claims"},
    "findings/claims_*.py": {"judge_claims"},
    "page/*": PAGE,
    "page/templates": PAGE,
    "page/page.py": {"show_study"},
    "page/plotting.py": {"show_study"},
    "tracking/*": {"publish_study"},
    "provenance.py": {"show_study", "publish_study"},
    "pipelines/recovery/params.py": EDITS,
    "pipelines/spectra/params.py": SPECTRA,
    "pipelines/*/pipeline.py": set(),
    "pipelines/parameters.py": set(),
    "versioning/*": set(),
    "hooks.py": set(),
    "graph_view.py": set(),
}


# The stages without a seed and those of one.
FILES = {
    "base": ("dvc.yaml", "conf/base/seed_0/dvc.yaml"),
    "smoke": ("conf/smoke/dvc.yaml", "conf/smoke/seed_1/dvc.yaml"),
}


@pytest.fixture(scope="module", params=FILES.values(), ids=FILES)
def modules_by_stage(request: pytest.FixtureRequest) -> dict[str, list[PurePosixPath]]:
    stages: dict[str, Any] = {}
    for file in request.param:
        stages |= yaml.safe_load((PROJECT / file).read_text(encoding="utf-8"))["stages"]
    return {
        name: [PurePosixPath(path.removeprefix(PACKAGE)) for path in stage["deps"] if path.startswith(PACKAGE)]
        for name, stage in stages.items()
    }


def name_node(stage: str) -> str:
    """Name the node of a stage: arms are its suffix."""
    return stage.partition("-")[0]


@pytest.mark.parametrize(("pattern", "readers"), READERS.items(), ids=READERS)
def test_only_stages_of_these_nodes_read_it(
    modules_by_stage: dict[str, list[PurePosixPath]], pattern: str, readers: set[str]
) -> None:
    matched = {path.relative_to(PROJECT / PACKAGE).as_posix() for path in (PROJECT / PACKAGE).glob(pattern)}
    # Package markers are everybody's: a stage reads the `__init__` of each package on its way.
    matched = {name for name in matched if not name.endswith("__init__.py")}
    assert matched, "the pattern matches no module"
    found = {stage for stage, modules in modules_by_stage.items() if matched & set(map(str, modules))}
    assert found == {stage for stage in modules_by_stage if name_node(stage) in readers}


def test_each_stage_reads_its_own_node_and_no_other(modules_by_stage: dict[str, list[PurePosixPath]]) -> None:
    nodes = set(map(name_node, modules_by_stage))
    for stage, modules in modules_by_stage.items():
        read = {path.stem for path in modules if path.match("pipelines/*/*.py") and path.stem in nodes}
        assert read == {name_node(stage)}


def test_who_reads_one_method_of_edits_reads_them_all(modules_by_stage: dict[str, list[PurePosixPath]]) -> None:
    every = {path.name for path in (PROJECT / PACKAGE / "edits/methods").glob("*.py")}
    for modules in modules_by_stage.values():
        assert {path.name for path in modules if path.match("edits/methods/*.py")} in (set(), every)
