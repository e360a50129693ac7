"""The driver on a small repository: what it runs, in which order, what it leaves, what it says."""

from __future__ import annotations

import os
import sys

import pytest
import yaml

from card24_pipeline.versioning.lock_files import LockText
from card24_pipeline.versioning.stage_processes import hold_checkout
from card24_pipeline.versioning.stage_times import read_times
from card24_pipeline.versioning.validation import VersioningError

DVC = (sys.executable, "-m", "dvc")
STAGES = {"deal", "seed_0/train", "seed_1/train", "seed_0/step_0", "seed_1/step_0", "report"}
SEED_0 = "conf/base/seed_0/dvc.yaml"
LOCK_0 = "conf/base/seed_0/dvc.lock"


def list_done(text: str) -> list[str]:
    """List the stages of which a driver's output says that they ran or came back, in that order."""
    lines = [line.split() for line in text.splitlines()]
    return [line[1] for line in lines if line[0] in ("done:", "restored:")]


def test_runs_all_in_their_order_and_then_nothing(study, capsys):
    assert study.run() == 0
    done = list_done(capsys.readouterr().out)
    assert set(done) == STAGES
    assert (done[0], done[-1]) == ("deal", "report")
    assert (study.root / "data/report.txt").read_text() == "7-3-8-K\n0\n0\n7-3-8-K\n1\n0\n"
    assert "up to date" in study.tool(*DVC, "status")

    assert study.run() == 0
    assert capsys.readouterr().out.endswith("6 up to date\n")


def test_only_what_changed_runs_with_what_reads_it(done, capsys):
    done.change(SEED_0, "step_0", lambda command: command.replace("echo 0", "echo 5"))
    capsys.readouterr()
    assert done.run() == 0
    assert list_done(capsys.readouterr().out) == ["seed_0/step_0", "report"]


def test_an_old_input_comes_from_the_run_cache_and_is_not_timed(done, capsys):
    done.change(SEED_0, "step_0", lambda command: command.replace("echo 0", "echo 5"))
    done.run()
    times = read_times(done.request().stage_times)
    done.change(SEED_0, "step_0", lambda command: command.replace("echo 5", "echo 0"))
    capsys.readouterr()
    assert done.run() == 0
    text = capsys.readouterr().out
    assert "restored: seed_0/step_0" in text
    assert text.endswith("2 restored from the run-cache, 4 up to date\n")
    assert read_times(done.request().stage_times) == times


def test_one_by_one_leaves_the_same_locks_as_side_by_side(study, ran):
    assert len(ran.read_locks()) == 3
    study.run(1)
    assert study.read_locks() == ran.read_locks()


def test_a_plain_dvc_repro_changes_no_lock_and_its_new_ones_are_put_in_order(done, ran):
    done.tool(*DVC, "repro", "--force")
    assert done.read_locks() == ran.read_locks()
    done.forget()
    done.tool(*DVC, "repro")
    assert done.run() == 0
    assert done.read_locks() == ran.read_locks()


def test_entries_stand_in_the_order_of_their_file(study):
    study.change(SEED_0, "train", lambda command: f"sleep 0.1 && {command}")
    study.run(2, "seed_0/step_0")
    path = study.root / LOCK_0
    path.write_text(LockText.split(path.read_text()).sort(["step_0", "train"]).join())
    study.run()
    for lock, text in study.read_locks().items():
        stages = yaml.safe_load((study.root / lock.replace(".lock", ".yaml")).read_text())["stages"]
        assert list(LockText.split(text).entries) == list(stages)


@pytest.mark.parametrize(
    ("names", "done"),
    [
        (["train"], {"deal", "seed_0/train", "seed_1/train"}),
        (["seed_1/step_0"], {"deal", "seed_1/train", "seed_1/step_0"}),
        ([f"{SEED_0}:train", "deal"], {"deal", "seed_0/train"}),
    ],
)
def test_stages_by_name_with_what_they_wait_for(study, capsys, names, done):
    assert study.run(2, *names) == 0
    assert set(list_done(capsys.readouterr().out)) == done


def test_an_unknown_stage_or_scale_is_said_in_a_line(study):
    with pytest.raises(VersioningError, match=r"--stages: no stage 'trian': did you mean 'train'\?$"):
        study.run(2, "trian")
    (study.root / "dvc.yaml").unlink()
    with pytest.raises(VersioningError, match=r"no scale 'base': dvc\.yaml is missing"):
        study.run()


def test_what_dvc_refuses_is_said_in_a_line(study):
    path = study.root / SEED_0
    path.write_text(path.read_text().replace("cmd:", "comand:"))
    with pytest.raises(VersioningError, match=r"^DVC refuses .*seed_0/dvc\.yaml.*") as error:
        study.run()
    assert "\n" not in error.value.message


def test_a_failure_stops_what_depends_on_it_only(study, capsys):
    study.change(SEED_0, "train", lambda _: "echo working; echo 'ValueError: seven is no card' >&2; exit 3")
    assert study.run() == 1
    text = capsys.readouterr().out
    assert set(list_done(text)) == {"deal", "seed_1/train", "seed_1/step_0"}
    assert text.splitlines()[-2].endswith("3 ran, 1 failed, 2 not run")
    assert text.splitlines()[-1] == (
        "failed: seed_0/train: ValueError: seven is no card (data/.logs/base/seed_0/train.log)"
    )
    # Mended, it goes on from there.
    study.change(SEED_0, "train", lambda _: "mkdir -p data/seed_0 && cp data/hands.txt data/seed_0/model.txt")
    assert study.run() == 0
    assert list_done(capsys.readouterr().out) == ["seed_0/train", "seed_0/step_0", "report"]


def test_on_a_full_disk_nothing_new_starts(study, capsys):
    study.change(SEED_0, "train", lambda _: "echo 'OSError: [Errno 28] No space left on device'; exit 1")
    study.change("conf/base/seed_1/dvc.yaml", "train", lambda command: f"sleep 1 && {command}")
    assert study.run() == 1
    text = capsys.readouterr().out
    assert list_done(text) == ["deal", "seed_1/train"]
    assert "the disk is full (" in text.splitlines()[-1]
    assert "make room, then run the same command again" in text.splitlines()[-1]


def test_a_failure_with_hardly_any_room_left_may_be_the_disks(study, capsys, monkeypatch):
    monkeypatch.setattr("card24_pipeline.versioning.driver._measure_free", lambda _: 3.0)
    study.change(SEED_0, "train", lambda _: "echo 'ValueError: seven is no card'; exit 1")
    assert study.run(1) == 1
    *_, failure, disk = capsys.readouterr().out.splitlines()
    assert "ValueError: seven is no card" in failure
    assert "the disk may be full (3 MiB free): make room" in disk


def test_the_drivers_own_writes_on_a_full_disk(study, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("card24_pipeline.versioning.driver.write_times", refuse)
    with pytest.raises(VersioningError, match="the disk is full"):
        study.run()
    monkeypatch.undo()


def test_a_second_driver_is_refused(study):
    with hold_checkout(study.root):
        with pytest.raises(
            VersioningError, match=rf"another `kedro dvc run` .* \(process {os.getpid()}\): wait for it"
        ):
            study.run()
        with pytest.raises(VersioningError, match="another"), hold_checkout(study.root):
            pass


def test_times_are_written_and_say_what_is_left(done, capsys):
    times = read_times(done.request().stage_times)
    assert set(times) == {
        *(f"conf/base/seed_{seed}/dvc.yaml:{name}" for seed in (0, 1) for name in ("train", "step_0")),
        "dvc.yaml:deal",
        "dvc.yaml:report",
    }
    assert list(read_times(done.request().study_time)) == ["study"]
    (done.root / "cards.txt").write_text("A 2 3 4\n")
    done.run()
    assert "stage 1 of 6, about" in capsys.readouterr().out
    assert done.tool("git", "status", "--porcelain", "data") == ""


def test_damaged_locks_are_healed_before_a_run(done, capsys):
    whole = done.read_locks()
    (done.root / LOCK_0).write_text("")
    (done.root / "dvc.lock").write_text(whole["dvc.lock"][:-25])
    (done.root / ".dvc/tmp/rwlock").write_text('{"wri')
    capsys.readouterr()
    assert done.run() == 0
    text = capsys.readouterr().out
    assert f"{LOCK_0}: was empty; restored from the copy kept here (2 entries)" in text
    assert text.endswith("6 up to date\n")
    assert done.read_locks() == whole
