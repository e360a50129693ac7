"""Bad input through the command line: it fails, says which file and key, and writes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from benchmarks.study_clone import StudyClone

OVERLAY = "conf/smoke/parameters.yml"
FAST_NODE = "game.split_multisets"


def run_node(clone: StudyClone, node: str, *options: str) -> CompletedProcess[str]:
    return clone.run("kedro", "run", "--env=smoke", f"--nodes={node}", *options, check=False)


def list_data(clone: StudyClone) -> dict[str, tuple[int, int]]:
    # The lock of a progress folder is let go of, not removed: another process may wait at it.
    files = [path for path in (clone.root / "data").rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def set_keys(clone: StudyClone, file: str, values: dict[str, Any]) -> dict[str, str]:
    """Return the text of a parameter file with other values."""
    content = yaml.safe_load((clone.root / file).read_text(encoding="utf-8"))
    for key, value in values.items():
        *parents, name = key.split(".")
        subtree = content
        for parent in parents:
            subtree = subtree[parent]
        subtree[name] = value
    return {file: yaml.safe_dump(content, sort_keys=False)}


class TestParameters:
    @pytest.mark.parametrize(
        ("file", "key", "value", "message"),
        [
            (OVERLAY, "sft.schedule.stepz", 5, "unknown key, did you mean 'steps'?"),
            (OVERLAY, "sft.schedule.steps", "many", "expected a whole number, got 'many'"),
            ("params.yaml", "sft.schedule.learning_rate", "fast", "expected a number, got 'fast'"),
            ("params.yaml", "findings.colour", "red", "unknown key"),
            (OVERLAY, "rl_arms.anchored.sft_arm", "other", "expected one of hot, tuned, got 'other'"),
        ],
        ids=["unknown key of the overlay", "type in the overlay", "type", "unknown key", "SFT arm that there is not"],
    )
    def test_wrong_file(self, clone: StudyClone, file: str, key: str, value: Any, message: str) -> None:
        with clone.edit(set_keys(clone, file, {key: value})):
            self.check_refused(clone, f"{file} (scale smoke): {key}: {message}")

    def test_a_block_of_another_kind_must_replace(self, clone: StudyClone) -> None:
        source = {"base_model.source": {"kind": "folder", "path": "models/mine"}}
        hint = f"unknown key (`_replace_: true` in base_model.source of {OVERLAY} leaves out what it does not name"
        with clone.edit(set_keys(clone, OVERLAY, source)):
            self.check_refused(clone, f"params.yaml (scale smoke): base_model.source.architecture: {hint}")

    def test_first_arm_names_an_sft_arm_that_there_is_not(self, clone: StudyClone) -> None:
        """The loader meets it, as it fills the keys of the run, before the parameters are checked."""
        with clone.edit(set_keys(clone, OVERLAY, {"rl_arms.plain.sft_arm": "other"})):
            self.check_refused(clone, "scale smoke: rl_arms.plain.sft_arm: expected one of hot, tuned, got 'other'")

    @staticmethod
    def check_refused(clone: StudyClone, message: str) -> None:
        before = list_data(clone)
        result = run_node(clone, FAST_NODE)
        assert result.returncode != 0
        assert message in result.stderr
        assert "Traceback" not in result.stderr
        assert list_data(clone) == before

    @pytest.mark.parametrize("command", ["check", "sync"])
    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            ("rl_arms.plain.algorithm", "grop", "expected 'ppo', 'grpo' or 'rloo', got 'grop'"),
            ("edit_arms.main.grid", [{"method": "uv_topp", "donors": ["base"]}], "uv_topp"),
            ("findings.compare_arms.tuned", "hott", "expected one of hot, got 'hott'"),
        ],
        ids=["algorithm", "edit", "arm to compare with"],
    )
    def test_stages_are_not_made_of_wrong_values(
        self, clone: StudyClone, command: str, key: str, value: Any, message: str
    ) -> None:
        before = [(clone.root / name).read_text(encoding="utf-8") for name in clone.stage_files]
        with clone.edit(set_keys(clone, OVERLAY, {key: value})):
            result = clone.run("kedro", "dvc", command, check=False)
        assert result.returncode != 0
        assert message in result.stderr
        assert f"{OVERLAY} (scale smoke): {key}" in result.stderr
        assert "Traceback" not in result.stderr
        assert [(clone.root / name).read_text(encoding="utf-8") for name in clone.stage_files] == before

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            (
                "sft.schedule.steps=many",
                "--params (scale smoke): sft.schedule.steps: expected a whole number",
            ),
            ("game.rules.target=100000", "game.rules.id: no hand makes 100000"),
            # A large face value must not make the search for hands a large one.
            ("game.rules.target=100000,game.rules.ood.ood.king=5000", "game.rules.id: no hand makes 100000"),
            (",".join(f"game.rules.ood.ood.{face}=10" for face in ("jack", "queen", "king")), "game.rules.ood.ood: "),
        ],
        ids=["type", "target", "target and large face value", "face rule"],
    )
    def test_wrong_option(self, clone: StudyClone, option: str, message: str) -> None:
        before = list_data(clone)
        result = run_node(clone, FAST_NODE, f"--params={option}")
        assert result.returncode != 0
        assert message in result.stderr
        assert list_data(clone) == before


def take_weights_away(folder: Path) -> Path:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    return folder


def truncate_weights(folder: Path) -> Path:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    return weights


def take_token_away(folder: Path) -> Path:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["not_a_king"] = vocabulary.pop("K")
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


class TestBaseFolder:
    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (take_weights_away, "has no *.safetensors weights"),
            (truncate_weights, "is truncated or not a safetensors file"),
            (take_token_away, "lacks 1 needed tokens, such as 'K'"),
        ],
        ids=["no weights", "truncated weights", "a token missing"],
    )
    def test_spoilt_folder(
        self, clone: StudyClone, tmp_path: Path, spoil: Callable[[Path], Path], message: str
    ) -> None:
        folder = tmp_path / "given"
        shutil.copytree(clone.root / "data/06_models/smoke/seed_0/base", folder, copy_function=shutil.copyfile)
        culprit = spoil(folder)
        before = list_data(clone)
        source = {"_replace_": True, "kind": "folder", "path": str(folder)}
        with clone.edit(set_keys(clone, OVERLAY, {"base_model.source": source})):
            result = run_node(clone, "base_model.obtain_base_model")
        assert result.returncode != 0
        (line,) = [line for line in result.stderr.splitlines() if line.startswith("card24_pipeline.checkpoints")][-1:]
        assert str(culprit) in line
        assert message in line
        assert list_data(clone) == before
