import logging
import shutil
from types import SimpleNamespace

import pytest

from card24_pipeline.checkpoints.manifest import write_manifest
from card24_pipeline.training import trainer_states
from card24_pipeline.training.trainer_states import WholeStates, find_trainer_state, read_trainer_step

FILES = ("model.safetensors", "optimizer.pt", "trainer_state.json")


class Killed(BaseException):
    """What a kill is to the code that it hits."""


class FakeTrainer:
    """Writes a state file by file, as a trainer of transformers does; may be killed before the n-th."""

    def __init__(self, folder):
        self.args = SimpleNamespace(output_dir=str(folder), world_size=1)
        self.step, self.killed_at = 0, None

    def _save_checkpoint(self, model, trial):
        from pathlib import Path

        state = Path(self.args.output_dir) / f"checkpoint-{self.step}"
        state.mkdir(parents=True)
        for number, name in enumerate(FILES):
            if number == self.killed_at:
                raise Killed
            (state / name).write_text(f"{name} of {self.step}")


class Trainer(WholeStates, FakeTrainer):
    def save(self, step):
        self.step = step
        self._save_checkpoint(None, None)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def trainer(folder):
    trainer = Trainer(folder)
    trainer.save(2)
    return trainer


def test_a_state_stands_alone_and_the_trainer_keeps_its_folder(trainer, folder):
    trainer.save(10)
    assert [path.name for path in folder.iterdir()] == ["checkpoint-10"]
    assert find_trainer_state(folder) == folder / "checkpoint-10"
    assert read_trainer_step(folder / "checkpoint-10") == 10
    assert trainer.args.output_dir == str(folder)


def test_several_processes_save_as_the_library_does(trainer, folder):
    trainer.args.world_size = 2
    trainer.save(4)
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-2", "checkpoint-4"]
    assert find_trainer_state(folder) == folder / "checkpoint-2"


@pytest.mark.parametrize("killed_at", range(len(FILES)))
def test_a_kill_between_two_files_leaves_the_state_before(trainer, folder, killed_at):
    trainer.killed_at = killed_at
    with pytest.raises(Killed):
        trainer.save(4)
    assert find_trainer_state(folder) == folder / "checkpoint-2"
    trainer.killed_at = None
    trainer.save(4)
    assert [path.name for path in folder.iterdir()] == ["checkpoint-4"]


@pytest.mark.parametrize("name", ["write_manifest", "publish_folder"])
def test_so_does_one_before_it_stands_in_its_place(trainer, folder, monkeypatch, name):
    def die(*args):
        raise Killed

    monkeypatch.setattr(trainer_states, name, die)
    with pytest.raises(Killed):
        trainer.save(4)
    assert find_trainer_state(folder) == folder / "checkpoint-2"


def test_one_while_older_states_go_leaves_the_newest(trainer, folder, monkeypatch):
    def half(path, **kwargs):
        if path.name == "checkpoint-2":
            (path / "optimizer.pt").unlink()
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(trainer_states, "shutil", SimpleNamespace(rmtree=half))
        with pytest.raises(Killed):
            trainer.save(4)
    assert find_trainer_state(folder) == folder / "checkpoint-4"


class TestDamage:
    @pytest.fixture
    def two(self, trainer, folder):
        """An older whole state beside a newer one."""
        shutil.copytree(folder / "checkpoint-2", folder / "kept")
        trainer.save(10)
        (folder / "kept").rename(folder / "checkpoint-2")
        return folder

    def lack(self, path):
        path.unlink()

    def cut(self, path):
        path.write_text("")

    def flip(self, path):
        path.write_text(path.read_text().swapcase())

    @pytest.mark.parametrize("damage", ["lack", "cut", "flip"])
    @pytest.mark.parametrize("name", ["optimizer.pt", "manifest.json"])
    def test_a_damaged_state_is_passed_over_with_a_word(self, two, caplog, damage, name):
        getattr(self, damage)(two / "checkpoint-10" / name)
        with caplog.at_level(logging.INFO):
            assert find_trainer_state(two) == two / "checkpoint-2"
        assert "Passing over a training state that is not whole" in caplog.text
        assert "checkpoint-10" in caplog.text

    def test_one_without_a_manifest_counts_for_nothing(self, tmp_path):
        (tmp_path / "checkpoint-4").mkdir()
        (tmp_path / "checkpoint-4/trainer_state.json").write_text("{}")
        assert find_trainer_state(tmp_path) is None
        write_manifest(tmp_path / "checkpoint-4")
        assert find_trainer_state(tmp_path) == tmp_path / "checkpoint-4"

    def test_no_folder_holds_no_state(self, tmp_path):
        assert find_trainer_state(tmp_path / "nowhere") is None
