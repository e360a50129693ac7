import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from card24_pipeline.training import ppo, ppo_state
from card24_pipeline.training.ppo import PpoTrainer
from card24_pipeline.training.ppo_state import load_state
from card24_pipeline.training.rl_run import RlSetup


class Judge:
    """Pays for every number that was said; may be killed at the n-th answer that it judges."""

    def __init__(self, judge_by, killed_at=None):
        self.judged = 0
        self.killed_at = killed_at
        self.rule = judge_by(self.decide)

    def decide(self, answer, hand):
        self.judged += 1
        if self.judged == self.killed_at:
            raise KeyboardInterrupt
        numbers = sum(word.isdigit() for word in answer.split())
        return numbers >= 3, numbers - 1.5


@pytest.fixture
def train(make_model, tokenizer, make_task, make_settings, no_kl, judge_by, tmp_path):
    """Train a fresh tiny model; return its weights' bytes, its history as text, and how many answers were judged."""

    def run(name, *, killed_at=None, seed=0, **changes):
        model, judge = make_model(), Judge(judge_by, killed_at)
        settings = make_settings(**({"updates": 6} | changes))
        task, folder = make_task(judge.rule), tmp_path / name
        done = ppo.train(RlSetup(model, tokenizer, task, settings, no_kl, None, seed), folder)
        weights = {key: tensor.numpy().tobytes() for key, tensor in model.state_dict().items()}
        return weights, json.dumps(done.history), judge.judged

    return run


@pytest.fixture
def make_trainer(make_model, tokenizer, make_task, make_settings, no_kl, judge_by):
    def make(seed=0, **changes):
        task = make_task(Judge(judge_by).rule)
        settings = make_settings(**changes)
        return PpoTrainer(RlSetup(make_model(seed), tokenizer, task, settings, no_kl, None, 0))

    return make


def test_two_runs_agree_to_the_bit_and_another_seed_differs(train):
    one, two, other = train("one"), train("two"), train("other", seed=1)
    assert one == two
    assert one[0] != other[0]
    assert one[1] != other[1]


class TestResuming:
    @pytest.mark.parametrize("critic", ["head", "separate"])
    def test_a_killed_run_ends_with_the_same_bytes_and_history(self, train, tmp_path, critic):
        """Killed in the middle of update 4; the schedule, Adam's step and moments and the sampler all go on."""
        changes = {
            "ppo": {"critic": critic},
            "optimiser": {"learning_rate_shape": "cosine", "warmup_updates": 2, "weight_decay": 0.1},
        }
        weights, history, judged = train("unbroken", **changes)
        with pytest.raises(KeyboardInterrupt):
            train("broken", killed_at=3 * 8 + 4, **changes)
        assert len(json.loads((tmp_path / "broken/state/after_2/history.json").read_text())) == 2
        resumed = train("broken", **changes)
        assert resumed == (weights, history, judged - 2 * 8)

    def test_several_tries_are_resumed_too(self, train):
        changes = {"rollouts": {"max_tries": 2, "max_turns_per_update": 12}, "resume_every_updates": 1}
        weights, history, judged = train("unbroken", **changes)
        with pytest.raises(KeyboardInterrupt):
            train("broken", killed_at=judged - 3, **changes)
        resumed = train("broken", **changes)
        assert resumed[:2] == (weights, history)
        assert resumed[2] <= 12

    def test_a_run_killed_before_its_first_state_starts_afresh(self, train, tmp_path):
        unbroken = train("unbroken")
        with pytest.raises(KeyboardInterrupt):
            train("broken", killed_at=12)
        assert not (tmp_path / "broken/state").exists()
        assert train("broken") == unbroken

    def test_a_kill_while_the_state_is_written_leaves_the_one_before(self, train, tmp_path, monkeypatch):
        unbroken = train("unbroken")

        def die(folder):
            if len(json.loads((folder / "history.json").read_text())) == 4:
                raise KeyboardInterrupt
            write(folder)

        write = ppo_state.write_manifest
        with monkeypatch.context() as patch:
            patch.setattr(ppo_state, "write_manifest", die)
            with pytest.raises(KeyboardInterrupt):
                train("broken")
        assert len(json.loads((tmp_path / "broken/state/after_2/history.json").read_text())) == 2
        assert train("broken")[:2] == unbroken[:2]


class TestFolder:
    @pytest.fixture
    def state(self, make_trainer, tmp_path):
        """A trainer after an update, and its saved state."""
        trainer = make_trainer()
        figures = trainer.update(1)
        ppo_state.save_state(tmp_path / "state", trainer.policy, trainer.optimiser, [figures])
        return trainer, tmp_path / "state/after_1"

    def test_it_has_open_formats_only_and_no_leftovers(self, state, tmp_path):
        _, folder = state
        assert sorted(path.name for path in folder.iterdir()) == ["history.json", "manifest.json", "state.safetensors"]
        assert list(tmp_path.rglob("*.json")) == list(folder.glob("*.json"))
        assert list(folder.parent.iterdir()) == [folder]

    def test_it_holds_parameters_and_both_moments_of_each(self, state):
        trainer, folder = state
        tensors = load_file(folder / "state.safetensors")
        names = [name for name, _ in trainer.policy.named_parameters()]
        assert set(tensors) == {
            f"{kind}.{name}" for kind in ("parameter", "exp_avg", "exp_avg_sq", "step") for name in names
        }
        for name, parameter in trainer.policy.named_parameters():
            assert torch.equal(tensors[f"parameter.{name}"], parameter)
            assert tensors[f"step.{name}"] == 4

    def test_it_is_replaced(self, state, make_trainer):
        trainer, folder = state
        history = [trainer.update(number) for number in (1, 2)]
        ppo_state.save_state(folder.parent, trainer.policy, trainer.optimiser, history)
        assert [path.name for path in folder.parent.iterdir()] == ["after_2"]
        other = make_trainer(seed=3)
        assert len(load_state(folder.parent, other.policy, other.optimiser)) == 2
        assert all(
            torch.equal(one, two)
            for (_, one), (_, two) in zip(
                trainer.policy.named_parameters(), other.policy.named_parameters(), strict=True
            )
        )

    def test_without_one_nothing_is_loaded(self, make_trainer, tmp_path):
        trainer, same = make_trainer(), make_trainer()
        assert load_state(tmp_path / "state", trainer.policy, trainer.optimiser) == []
        assert all(
            torch.equal(one, two)
            for (_, one), (_, two) in zip(
                trainer.policy.named_parameters(), same.policy.named_parameters(), strict=True
            )
        )

    @pytest.mark.parametrize("damage", ["truncated", "without its manifest"])
    def test_a_damaged_one_is_passed_over_for_the_one_before(self, state, make_trainer, damage):
        """A kill may come while an old state is being removed, or the disk may have lost the end of a new one."""
        _, folder = state
        newer = shutil.copytree(folder, folder.with_name("after_2"))
        weights = newer / "state.safetensors"
        if damage == "truncated":
            weights.write_bytes(weights.read_bytes()[:-1])
        else:
            (newer / "manifest.json").unlink()
        trainer = make_trainer()
        assert len(load_state(folder.parent, trainer.policy, trainer.optimiser)) == 1
        shutil.rmtree(folder)
        assert load_state(folder.parent, trainer.policy, trainer.optimiser) == []
