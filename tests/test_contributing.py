"""The diffs of CONTRIBUTING.md are applied to copies of the project, and do what is said of them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PARTS = (
    "src",
    "conf",
    ".telemetry",
    "params.yaml",
    "pyproject.toml",
    "tests/edits",
    "tests/conftest.py",
    "tests/small_study.py",
)
DIFFS = dict(
    re.findall(r"### ([^\n]+)\n(?:(?!\n###).)*?```diff\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
)


@pytest.fixture
def apply(tmp_path):
    """Apply the diff below a heading to a copy of the project; return what a command run there prints."""

    def apply(heading: str, *command: str) -> str:
        for part in PARTS:
            source, copy = ROOT / part, tmp_path / part
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "dvc.lock"))
            else:
                shutil.copy(source, copy)
        environment = os.environ | {
            "PYTHONPATH": str(tmp_path / "src"),
            "GIT_CEILING_DIRECTORIES": str(tmp_path.parent),
        }
        (tmp_path / "change.diff").write_text(DIFFS[heading])
        for call in (("git", "apply", "--recount", "change.diff"), command):
            done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return apply


def read_stages(root, scale="base", seed=0):
    """Read the stages without a seed and those of one."""
    own = root / "dvc.yaml" if scale == "base" else root / f"conf/{scale}/dvc.yaml"
    files = (own, root / f"conf/{scale}/seed_{seed}/dvc.yaml")
    return {name: stage for file in files for name, stage in yaml.safe_load(file.read_text())["stages"].items()}


def test_every_extension_point_has_a_diff():
    assert list(DIFFS) == [
        "An edit: one file",
        "A statement: one function",
        "An SFT arm: one block",
        "An RL arm: one block",
        "An edit arm: one block",
        "An OOD rule: one line",
        "A scale, a model: one folder",
    ]


def test_an_edit_passes_the_contract_of_all_methods(apply):
    assert "passed" in apply(
        "An edit: one file", sys.executable, "-m", "pytest", "-q", "tests/edits/test_contract.py", "-k", "dare"
    )


def test_a_statement_is_listed(apply):
    code = (
        "from card24_pipeline.findings.statements import list_statements; print([one.key for one in list_statements()])"
    )
    assert "ood_rises_from_the_base" in apply("A statement: one function", sys.executable, "-c", code)


@pytest.mark.parametrize(
    ("heading", "own"),
    [
        ("An SFT arm: one block", {f"{node}-cool" for node in ("train_sft", "score_sft", "select_checkpoints")}),
        ("An edit arm: one block", {"score_edits-of_tuned"}),
    ],
)
def test_an_arm_of_sft_or_edits_has_stages_of_its_own_and_trains_no_other_anew(apply, tmp_path, heading, own):
    apply(heading, "kedro", "dvc", "sync")
    before, after = read_stages(ROOT), read_stages(tmp_path)
    assert after.keys() - before.keys() >= own
    assert not {name for name in before if name.startswith("train_") and before[name] != after[name]}


def test_an_rl_arm_has_stages_of_its_own_and_changes_no_other(apply, tmp_path):
    apply("An RL arm: one block", "kedro", "dvc", "sync")
    before, after = read_stages(ROOT), read_stages(tmp_path)
    assert after.keys() - before.keys() == {"train_rl-grouped", "score_rl-grouped", "measure_rl_spectra-grouped"}
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"estimate_quantities", "show_study", "publish_study"}
    assert "src/card24_pipeline/training/rloo.py" in after["train_rl-grouped"]["deps"]
    assert "src/card24_pipeline/training/ppo.py" not in after["train_rl-grouped"]["deps"]


def test_a_rule_has_splits_of_its_own(apply):
    code = (
        "import yaml; from card24_pipeline.parameters.rules import RulesParams;"
        "from card24_pipeline.pipelines.game.split_multisets import SplitParams, split_multisets;"
        "game = yaml.safe_load(open('params.yaml'))['game'];"
        "rules, split = RulesParams(**game['rules']), SplitParams(**game['split']);"
        "print(sorted(split_multisets(rules, split)['split'].unique()))"
    )
    printed = apply("An OOD rule: one line", sys.executable, "-c", code)
    assert printed.strip() == str(["id_heldout", "low", "low_select", "ood", "ood_select", "sft"])


def test_a_scale_is_a_folder(apply, tmp_path):
    apply("A scale, a model: one folder", "kedro", "dvc", "sync", "--env=mine")
    stages = read_stages(tmp_path, "mine")
    assert {name for name in stages if name.startswith("train_rl")} == {"train_rl-plain"}
    assert [path.parent.name for path in sorted(tmp_path.glob("conf/mine/*/dvc.yaml"))] == ["seed_0"]
    params = dict(item for file in stages["obtain_base_model"]["params"] for item in file.items())
    assert params == {"conf/mine/parameters.yml": ["base_model.source"], "params.yaml": ["device", "threads"]}
