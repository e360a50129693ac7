"""The smoke study from the cards to the report: what it leaves, what a second run does, what a killed run does."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from benchmarks.study_clone import Reproduction, StudyClone

SEEDS = (0, 1)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
OPEN_FORMATS = {".safetensors", ".parquet", ".json", ".csv", ".png", ".html", ".md"}

ARMS = ("hot", "tuned")
# A seed of no study, so that nothing of it lies there before; long enough to be killed on the way.
KILLED_SEED = 7
LONG_TRAINING = (
    "kedro",
    "run",
    "--env=smoke",
    "--nodes=sft.train_sft",
    f"--params=seed={KILLED_SEED},sft.schedule.steps=60",
)


def list_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def list_starts(clone: StudyClone, seed: int) -> dict[str, set[int]]:
    """Return the SFT steps that each arm of reinforcement learning starts from."""
    folder = clone.root / f"data/07_model_output/smoke/seed_{seed}/sft"
    hot, tuned = (pd.read_parquet(folder / arm / "selected_checkpoints.parquet") for arm in ARMS)
    # Checkpoints at a level of ID are starts where an arm names them only.
    return {
        "plain": set(map(int, hot.loc[~hot["role"].str.startswith("id_"), "step"])),
        "anchored": set(map(int, tuned.loc[tuned["role"] == "end", "step"])),
    }


class TestOutputs:
    def test_first_run_runs_every_stage(self, clone: StudyClone, first_run: Reproduction) -> None:
        expected = set(clone.read_stages())
        assert set(first_run.ran) == expected
        assert first_run.stages == len(expected)
        assert {name.partition("@")[2] for name in expected} == {"", *map(str, SEEDS)}

    def test_report_tables_and_figure(self, clone: StudyClone) -> None:
        folder = clone.root / "data/08_reporting/smoke"
        tables = {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}
        assert set(tables) == {"models", "estimates", "rl_runs", "accuracy_by_step", "edit_points"}
        assert all(len(table) > 0 for table in tables.values())
        assert set(tables["rl_runs"]["seed"]) == set(SEEDS)
        assert set(tables["estimates"]["scope"]) == {"all replicates", *(f"replicate {seed}" for seed in SEEDS)}
        assert (folder / "sft_curves.png").read_bytes().startswith(PNG_SIGNATURE)
        assert "sft_curves.png" in (folder / "report.md").read_text(encoding="utf-8")

    def test_training_histories(self, clone: StudyClone) -> None:
        folder = clone.root / "data/07_model_output/smoke"
        histories = [folder / f"seed_{seed}/base_model_history.parquet" for seed in SEEDS]
        histories += [folder / f"seed_{seed}/sft/{arm}/history.parquet" for seed in SEEDS for arm in ARMS]
        for path in histories:
            history = pd.read_parquet(path)
            assert {"step", "loss", "learning_rate", "gradient_norm"} <= set(history.columns)
            assert history["step"].is_monotonic_increasing
            assert len(history) > 0

    def test_reinforcement_histories(self, clone: StudyClone) -> None:
        overlay = yaml.safe_load((clone.root / "conf/smoke/parameters.yml").read_text(encoding="utf-8"))
        updates = overlay["rl"]["updates"]
        for seed in SEEDS:
            for arm, starts in list_starts(clone, seed).items():
                path = clone.root / f"data/07_model_output/smoke/seed_{seed}/rl/{arm}/history.parquet"
                history = pd.read_parquet(path)
                rows = [(start, update) for start in sorted(starts) for update in range(1, updates + 1)]
                assert list(zip(history["from_step"], history["update"], strict=True)) == rows
                assert history[["reward", "policy_loss", "gradient_norm", "flops"]].notna().all(axis=None)

    def test_every_checkpoint_opens(self, clone: StudyClone) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        models = clone.root / "data/06_models/smoke"
        folders = [path.parent for path in list_files(models) if path.name == "config.json"]
        steps = {"hot": (2, 6, 10), "tuned": (10,)}
        expected = {
            models / f"seed_{seed}/sft/{arm}/step_{step}" for seed in SEEDS for arm in ARMS for step in steps[arm]
        }
        expected |= {models / f"seed_{seed}/base" for seed in SEEDS}
        for seed in SEEDS:
            for arm, starts in list_starts(clone, seed).items():
                expected |= {models / f"seed_{seed}/rl/{arm}/from_step_{start}" for start in starts}
        assert set(folders) == expected
        for folder in folders:
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
            logits = model(**tokenizer("K", return_tensors="pt")).logits
            assert logits.shape == (1, 1, len(tokenizer))
            assert torch.isfinite(logits).all()

    def test_only_open_formats(self, clone: StudyClone) -> None:
        files = [path for path in list_files(clone.root / "data") if path.name != ".gitignore"]
        assert [path for path in files if path.suffix not in OPEN_FORMATS] == []

    def test_no_training_state_is_left(self, clone: StudyClone) -> None:
        assert list_files(clone.root / "data/.progress") == []

    def test_timings_are_kept_outside_git_and_not_locked(self, clone: StudyClone) -> None:
        assert list_files(clone.root / "data/.timings/smoke") != []
        assert clone.run("git", "status", "--porcelain", "--untracked-files=all", "data/.timings").stdout == ""
        assert not [path for path in clone.lock_files if "timings" in path.read_text(encoding="utf-8")]


class TestReproduction:
    def test_second_run_does_nothing(self, clone: StudyClone, first_run: Reproduction) -> None:
        again = clone.reproduce()
        assert (again.ran, again.restored) == ((), ())
        assert set(again.left_alone) == set(first_run.ran)

    @pytest.mark.slow
    def test_forced_run_locks_the_same_bytes(self, clone: StudyClone, first_run: Reproduction) -> None:
        before = [path.read_text(encoding="utf-8") for path in clone.lock_files]
        assert set(clone.reproduce("--force").ran) == set(first_run.ran)
        assert [path.read_text(encoding="utf-8") for path in clone.lock_files] == before


class TestKilledTraining:
    @pytest.fixture(scope="class")
    def killed(self, clone: StudyClone, tmp_path_factory: pytest.TempPathFactory) -> StudyClone:
        """The clone after a training run that was killed once it had kept a state."""
        log = tmp_path_factory.mktemp("killed") / "log.txt"
        process = clone.start(*LONG_TRAINING, log=log)
        progress = clone.root / f"data/.progress/smoke/seed_{KILLED_SEED}/sft/hot"
        base = clone.root / "data/06_models/smoke"
        shutil.copytree(base / "seed_0/base", base / f"seed_{KILLED_SEED}/base")
        try:
            while process.poll() is None and not list(progress.glob("*/state/checkpoint-*/trainer_state.json")):
                time.sleep(0.02)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        assert status == -signal.SIGKILL, log.read_text(encoding="utf-8")
        return clone

    def test_leaves_nothing_and_resumes_to_the_same_bytes(self, killed: StudyClone) -> None:
        assert self.read_outputs(killed) == {}

        resumed_log = killed.run(*LONG_TRAINING).stderr
        assert "Resuming from checkpoint-" in resumed_log
        resumed = self.read_outputs(killed)
        weights = {Path(name).parent.name for name in resumed if name.endswith("model.safetensors")}
        assert weights == {"step_2", "step_6", "step_60"}

        fresh_log = killed.run(*LONG_TRAINING, variables={"CARD24_FRESH": "1"}).stderr
        assert "Resuming" not in fresh_log
        unbroken = self.read_outputs(killed)
        assert [name for name in unbroken if unbroken[name] != resumed.get(name)] == []
        assert set(unbroken) == set(resumed)

    @staticmethod
    def read_outputs(clone: StudyClone) -> dict[str, bytes]:
        """Read what training wrote for DVC, hidden leftovers included."""
        names = ("06_models", "07_model_output")
        folders = [clone.root / f"data/{name}/smoke/seed_{KILLED_SEED}/sft" for name in names]
        return {str(path): path.read_bytes() for folder in folders for path in list_files(folder)}
