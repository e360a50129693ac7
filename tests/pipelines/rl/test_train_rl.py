"""What the node does around a trainer; the trainers have tests of their own."""

import logging
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from card24_pipeline.checkpoints.manifest import CheckpointError, check_manifest
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.pipelines.rl.train_rl import choose_starts, train_rl
from card24_pipeline.training.rl_params import RlParams
from card24_pipeline.training.rl_run import RlError, RlRun

SETTINGS = RlParams.model_validate(yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text())["rl"])
SELECTED = pd.DataFrame({"role": ["max_ood", "rung_1", "end"], "step": [2, 6, 12], "pass_at_1": [0.3, 0.2, 0.1]})
ALGORITHMS = ("ppo", "grpo", "rloo")


def make_arm(roles="all", anchor="none", algorithm="ppo", **others):
    kl = {"anchor": anchor, "coefficient": 0.0 if anchor == "none" else 0.1}
    return {"sft_arm": "main", "algorithm": algorithm, "roles": roles, "kl": kl, **others}


def read_weight(model):
    return float(model.get_input_embeddings().weight.detach().sum())


class Trainer:
    """Stands in for every trainer: notes what it is given, and adds 1 to one weight; may die on its way."""

    def __init__(self):
        self.runs = []
        self.dies_at = None

    def __call__(self, name):
        def train(setup, progress):
            import torch

            number = len(self.runs) + 1
            found = sorted(path.name for path in progress.iterdir())
            self.runs.append(SimpleNamespace(**vars(setup), name=name, weight=read_weight(setup.model), found=found))
            (progress / "state").write_text(str(number))
            if number == self.dies_at:
                raise RlError("update 3: killed")
            with torch.no_grad():
                setup.model.get_input_embeddings().weight[0, 0] += 1
            rows = [{"update": update, "reward": 0.1 * setup.seed, "value_loss": math.nan} for update in (1, 2)]
            return RlRun(history=rows, timings={"wall_seconds": float(number)})

        return train


@pytest.fixture
def trainer(monkeypatch):
    found = Trainer()
    for name in ALGORITHMS:
        monkeypatch.setitem(sys.modules, f"card24_pipeline.training.{name}", SimpleNamespace(train=found(name)))
    return found


@pytest.fixture
def train(sft_checkpoints, base_model, rl_hands, prompt, tmp_path):
    def run(arm, *, hands=rl_hands, seed=7):
        arms = {"mine": arm, "other": None}  # what another arm is matters to nobody
        inputs = (sft_checkpoints, base_model, SELECTED, hands, prompt, SETTINGS, arms, "mine", seed, "cpu")
        return train_rl(*inputs, tmp_path / "progress")

    return run


@pytest.fixture(scope="module")
def weights(sft_checkpoints, base_model):
    """The sum of embeddings of each checkpoint, by which a test tells them apart."""
    folders = {**{step: sft_checkpoints / f"step_{step}" for step in (2, 6, 12)}, "base": base_model}
    return {name: read_weight(load_checkpoint(folder)[0]) for name, folder in folders.items()}


class TestStarts:
    @pytest.mark.parametrize(
        ("roles", "starts"),
        [("all", [2, 6, 12]), (["end"], [12]), (["end", "max_ood", "end"], [2, 12]), (["rung_1", "rung_2"], [6])],
    )
    def test_of_the_roles_that_there_are(self, roles, starts):
        assert choose_starts(SELECTED, roles) == starts

    def test_checkpoint_with_two_roles_is_one_start(self):
        assert choose_starts(SELECTED.assign(step=[12, 6, 12]), "all") == [6, 12]

    def test_missing_rung_is_logged(self, caplog):
        with caplog.at_level(logging.INFO):
            choose_starts(SELECTED, ["rung_2", "end"])
        assert "No run from rung_2" in caplog.text

    def test_no_start_at_all_is_refused(self):
        with pytest.raises(ValueError, match=r"roles rung_2, rung_3 are not among max_ood, rung_1, end"):
            choose_starts(SELECTED, ["rung_2", "rung_3"])


class TestRuns:
    def test_each_start_is_trained_and_kept(self, trainer, train, weights):
        folder, history, timings = train(make_arm())
        assert [run.weight for run in trainer.runs] == [weights[step] for step in (2, 6, 12)]
        assert {Path(name).parts[0] for name in check_manifest(folder)} == {f"from_step_{n}" for n in (2, 6, 12)}
        for step in (2, 6, 12):
            model, _ = load_checkpoint(folder / f"from_step_{step}")
            assert read_weight(model) == pytest.approx(weights[step] + 1, abs=1e-4)
        assert history[["from_step", "update"]].to_numpy().tolist() == [[n, u] for n in (2, 6, 12) for u in (1, 2)]
        assert history.columns[0] == "from_step"
        assert history["value_loss"].isna().all()
        assert timings == {f"from_step_{n}": {"wall_seconds": t} for n, t in ((2, 1.0), (6, 2.0), (12, 3.0))}

    def test_trainer_is_given_the_hands_and_the_same_seed(self, trainer, train, rl_hands, prompt):
        train(make_arm(roles=["max_ood", "end"]))
        assert [run.seed for run in trainer.runs] == [7, 7]
        task = trainer.runs[0].task
        assert [hand.identity for hand in task.hands] == rl_hands["hand"].tolist()
        assert [list(hand.values) for hand in task.hands] == rl_hands["values"].tolist()
        assert [hand.prompt for hand in task.hands] == rl_hands["prompt"].tolist()
        assert (task.layout, task.style) == (prompt.layout, prompt.style)
        assert task.rewards.correct == SETTINGS.rewards.correct

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_algorithm_chooses_the_trainer(self, trainer, train, algorithm):
        train(make_arm(roles=["end"], algorithm=algorithm))
        assert [run.name for run in trainer.runs] == [algorithm]

    def test_settings_of_the_arm_lie_over_those_of_all(self, trainer, train):
        changes = {"updates": 120, "optimiser": {"learning_rate": 1e-4}, "rewards": {"correct": 9}}
        train(make_arm(roles=["end"], settings=changes))
        train(make_arm(roles=["end"]))
        changed, common = (run.settings for run in trainer.runs)
        assert common == SETTINGS
        assert (changed.updates, changed.optimiser.learning_rate) == (120, 1e-4)
        assert changed.optimiser.adam_beta2 == SETTINGS.optimiser.adam_beta2
        assert changed.model_copy(update={name: getattr(common, name) for name in changes}) == common
        assert trainer.runs[0].task.rewards.correct == 9

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"settings": {"updats": 3}}, "updats"),
            ({"settings": {"rollouts": {"max_tries": 2}}, "algorithm": "grpo"}, "max_tries 2 with grpo"),
        ],
    )
    def test_settings_that_cannot_be_are_refused_before_any_work(self, trainer, train, changes, message):
        with pytest.raises(ValueError, match=message):
            train(make_arm(**changes))
        assert trainer.runs == []

    @pytest.mark.parametrize(
        ("kind", "anchors"),
        [("none", [None, None]), ("start", [2, 12]), ("max_ood", [2, 2]), ("base", ["base", "base"])],
    )
    def test_anchor(self, trainer, train, weights, kind, anchors):
        train(make_arm(roles=["max_ood", "end"], anchor=kind))
        found = [None if run.anchor is None else read_weight(run.anchor) for run in trainer.runs]
        assert found == [None if name is None else weights[name] for name in anchors]
        assert {run.kl.anchor for run in trainer.runs} == {kind}

    def test_word_that_the_checkpoint_lacks_is_named(self, trainer, train, rl_hands, sft_checkpoints):
        unread = rl_hands.assign(prompt="cards Joker :")
        with pytest.raises(CheckpointError, match=rf"{sft_checkpoints / 'step_12'} lacks 1 needed tokens.*'Joker'"):
            train(make_arm(roles=["end"]), hands=unread)
        assert trainer.runs == []


class TestInterrupted:
    def test_runs_that_were_done_are_not_run_again(self, trainer, train, tmp_path):
        whole = train(make_arm())
        kept = check_manifest(whole[0])
        (tmp_path / "progress").rename(tmp_path / "unbroken")
        trainer.runs.clear()
        trainer.dies_at = 2
        with pytest.raises(RlError, match="killed"):
            train(make_arm())
        assert len(trainer.runs) == 2
        trainer.runs.clear()
        trainer.dies_at = None
        folder, history, _ = train(make_arm())
        assert [run.found for run in trainer.runs] == [["state"], []], "the second run goes on, the third begins"
        assert check_manifest(folder) == kept
        pd.testing.assert_frame_equal(history, whole[1])

    @pytest.mark.parametrize("change", [{"seed": 8}, {"arm": make_arm(anchor="base")}])
    def test_nothing_is_taken_from_a_run_with_other_inputs(self, trainer, train, change):
        train(make_arm())
        trainer.runs.clear()
        train(**{"arm": make_arm(), **change})
        assert [run.found for run in trainer.runs] == [[], [], []]
