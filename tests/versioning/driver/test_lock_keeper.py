import json
import os
import subprocess
import sys

import pytest

from card24_pipeline.versioning.dvc_file import HEADER
from card24_pipeline.versioning.lock_files import LockText
from card24_pipeline.versioning.lock_keeper import (
    KEPT,
    MARK,
    drop_former_entries,
    find_lock_files,
    heal_list_of_users,
    heal_lock,
    heal_locks,
    keep_lock,
    prepare_stage,
    put_in_order,
)
from card24_pipeline.versioning.validation import VersioningError

LOCK = "conf/base/seed_0/dvc.lock"


def make_text(*names, size=8):
    entries = "".join(
        f"  {name}:\n    cmd: {name}\n    outs:\n    - path: {name}.txt\n      hash: md5\n      md5: {'a' * 32}\n"
        f"      size: {size}\n"
        for name in names
    )
    return f"schema: '2.0'\nstages:\n{entries}"


WHOLE = make_text("train", "score", "report")


@pytest.fixture
def kept(project):
    """The project with a lock file of which a copy is kept."""
    (project / LOCK).write_text(WHOLE)
    assert keep_lock(project, LOCK)
    return project


@pytest.mark.parametrize("damaged", ["", "\n", WHOLE[:100], WHOLE[:-1], make_text("train"), "\0" * 4096])
def test_a_damaged_file_is_restored_from_the_copy(kept, damaged):
    (kept / LOCK).write_text(damaged)
    assert not keep_lock(kept, LOCK)
    (line,) = heal_locks(kept, find_lock_files(kept, "conf"))
    assert line.startswith(f"{LOCK}: was ")
    assert line.endswith("restored from the copy kept here (3 entries)")
    assert (kept / LOCK).read_text() == WHOLE
    assert heal_locks(kept, [LOCK]) == []


def test_what_a_cut_file_has_newly_recorded_is_kept(kept):
    (kept / LOCK).write_text(make_text("train", size=9) + make_text("score")[len(make_text()) : -20])
    heal_lock(kept, LOCK)
    assert (kept / LOCK).read_text() == make_text("train", size=9) + make_text("score", "report")[len(make_text()) :]


@pytest.mark.parametrize(
    "changed",
    [
        make_text("score"),
        make_text("train", "report"),
        make_text("x", "y"),
        WHOLE + WHOLE[len(make_text()) :].replace("train", "t2").replace("score", "s2").replace("report", "r2"),
    ],
)
def test_other_whole_content_wins(kept, changed):
    (kept / LOCK).write_text(changed)
    assert heal_lock(kept, LOCK) is None
    assert (kept / LOCK).read_text() == changed == (kept / KEPT / LOCK).read_text()


def test_a_shorter_file_that_git_put_there_wins(kept):
    shorter = make_text("train")
    (kept / LOCK).write_text(shorter)
    subprocess.run(["git", "add", LOCK], cwd=kept, check=True)
    assert heal_lock(kept, LOCK) is None
    assert (kept / LOCK).read_text() == shorter


def test_a_file_that_was_removed_stays_removed(kept):
    (kept / LOCK).unlink()
    assert heal_lock(kept, LOCK) is None
    assert not (kept / KEPT / LOCK).exists()
    (kept / LOCK).write_text(make_text("train"))
    assert heal_lock(kept, LOCK) is None


def test_without_a_copy_the_last_commit_is_the_source(project):
    (project / LOCK).write_text(WHOLE)
    subprocess.run("git add -A && git commit -qm lock", shell=True, cwd=project, check=True)
    (project / LOCK).write_text("")
    assert heal_lock(project, LOCK) == f"{LOCK}: was empty; restored from the last commit (3 entries)"
    assert (project / LOCK).read_text() == WHOLE


def test_without_any_source_whole_entries_stay(project):
    (project / LOCK).write_text(WHOLE[:-30])
    assert heal_lock(project, LOCK) == (f"{LOCK}: was cut after 2 entries; restored from what it has whole (2 entries)")
    assert (project / LOCK).read_text() == make_text("train", "score")
    (project / "dvc.lock").write_text("")
    assert "run anew or come from DVC's run-cache" in heal_lock(project, "dvc.lock")
    assert not (project / "dvc.lock").exists()


def test_a_merge_conflict_is_left_to_its_author(kept):
    text = f"<<<<<<< HEAD\n{WHOLE}=======\n{WHOLE}>>>>>>> other\n"
    (kept / LOCK).write_text(text)
    with pytest.raises(VersioningError, match=r"seed_0/dvc\.lock: git's conflict markers in it: take one side"):
        heal_lock(kept, LOCK)
    assert (kept / LOCK).read_text() == text


def test_entries_take_the_order_of_the_stages(kept):
    put_in_order(kept, {LOCK: ["report", "train", "score"], "conf/base/none/dvc.lock": []})
    assert list(LockText.split((kept / LOCK).read_text()).entries) == ["report", "train", "score"]
    assert (kept / KEPT / LOCK).read_text() == (kept / LOCK).read_text()


def list_stages(project, *names):
    """Write the generated file of these stages beside the lock file."""
    stages = "".join(f"  {name}:\n    cmd: {name}\n" for name in names)
    (project / LOCK).with_name("dvc.yaml").write_text(f"{HEADER}stages:\n{stages}")


class TestFormerStages:
    def test_their_entries_go_from_the_copy_too(self, kept):
        list_stages(kept, "train", "report")
        assert drop_former_entries(kept, LOCK) == ["score"]
        assert (kept / LOCK).read_text() == (kept / KEPT / LOCK).read_text() == make_text("train", "report")
        assert heal_lock(kept, LOCK) is None
        assert drop_former_entries(kept, LOCK) == []

    def test_without_any_other_the_file_goes(self, kept):
        list_stages(kept, "new")
        assert drop_former_entries(kept, LOCK) == ["train", "score", "report"]
        assert not (kept / LOCK).exists()
        assert not (kept / KEPT / LOCK).exists()

    def test_a_file_without_them_is_whole_whatever_the_copy_has(self, kept):
        list_stages(kept, "train", "score")
        (kept / LOCK).write_text(make_text("train", "score"))
        assert heal_lock(kept, LOCK) is None
        (kept / LOCK).write_text(make_text("train"))
        assert heal_lock(kept, LOCK).startswith(f"{LOCK}: was left with 1 of 2 entries")

    @pytest.mark.parametrize("source", ["copy", "commit"])
    def test_healing_brings_none_back(self, kept, source):
        if source == "commit":
            subprocess.run("git add -A && git commit -qm lock", shell=True, cwd=kept, check=True)
            (kept / KEPT / LOCK).unlink()
        list_stages(kept, "train", "report")
        (kept / LOCK).write_text("")
        assert heal_lock(kept, LOCK).endswith("(2 entries)")
        assert (kept / LOCK).read_text() == make_text("train", "report")

    @pytest.mark.parametrize("text", ["stages: {train: {cmd: train}}\n", HEADER + "<<<<<<< HEAD\nstages:\n  train:\n"])
    def test_a_file_of_ones_own_or_one_that_is_none_says_nothing_of_them(self, kept, text):
        (kept / LOCK).with_name("dvc.yaml").write_text(text)
        assert drop_former_entries(kept, LOCK) == []
        assert (kept / LOCK).read_text() == WHOLE

    def test_while_dvc_is_at_work_the_file_is_left_alone(self, kept):
        from dvc.lock import make_lock

        list_stages(kept, "train")
        with make_lock(str(kept / ".dvc/tmp/lock")), pytest.raises(VersioningError, match="another DVC command"):
            drop_former_entries(kept, LOCK)
        assert (kept / LOCK).read_text() == WHOLE


class TestListOfUsers:
    def heal(self, project, text):
        path = project / ".dvc/tmp/rwlock"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return heal_list_of_users(project), path

    @pytest.mark.parametrize("text", ["", '{"wri', "[]", '{"write": 3}'])
    def test_a_cut_one_is_removed(self, project, text):
        lines, path = self.heal(project, text)
        assert lines == [".dvc/tmp/rwlock: was cut; removed (DVC makes it anew)"]
        assert not path.exists()

    def test_who_is_gone_is_forgotten_even_where_its_number_is_used_again(self, project):
        command = [sys.executable, "-c", "print(); input()"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([*command, "dvc"], **pipes) as dvc, subprocess.Popen(command, **pipes) as other:
            for process in (dvc, other):
                process.stdout.readline()
            here, gone, own = ({"pid": pid, "cmd": "dvc repro"} for pid in (dvc.pid, other.pid, os.getpid()))
            users = {"write": {"/a": gone, "/b": here, "/d": own}, "read": {"/c": [gone, here]}}
            _, path = self.heal(project, json.dumps(users))
            for process in (dvc, other):
                process.communicate(b"\n")
        assert json.loads(path.read_text()) == {"write": {"/b": here}, "read": {"/c": [here]}}

    def test_processes_of_other_machines_are_left_alone(self, project):
        lines, path = self.heal(project, text := json.dumps({"write": {"/a": {"pid": 2**22 + 1, "cmd": "dvc repro"}}}))
        assert path.read_text() == json.dumps({"write": {}, "read": {}})
        path.write_text(text)
        assert heal_list_of_users(project, alone=False) == lines == []
        assert path.read_text() == text


class TestBeforeAStage:
    @pytest.fixture(autouse=True)
    def quickly(self, monkeypatch):
        monkeypatch.setattr("card24_pipeline.versioning.lock_keeper.PATIENCE_SECONDS", 0.1)
        monkeypatch.setenv("DVC_STAGE", "train")

    def test_a_damaged_file_is_refused_with_the_remedy(self, kept):
        prepare_stage(kept, "conf")
        (kept / LOCK).write_text(make_text("train"))
        with pytest.raises(VersioningError, match=r"seed_0/dvc\.lock: damaged, .* run `kedro dvc heal`, then go on"):
            prepare_stage(kept, "conf")

    def test_a_plain_run_keeps_copies(self, project):
        (project / LOCK).write_text(WHOLE)
        prepare_stage(project, "conf")
        assert (project / KEPT / LOCK).read_text() == WHOLE

    def test_the_entry_to_come_has_its_place(self, project, monkeypatch):
        list_stages(project, "report", "train", "score")
        monkeypatch.setenv("DVC_STAGE", f"{LOCK.replace('.lock', '.yaml')}:train")
        prepare_stage(project, "conf")
        assert (project / LOCK).read_text() == "schema: '2.0'\nstages:\n  train:\n    cmd: ''\n"
        (project / LOCK).write_text(make_text("score", "report"))
        prepare_stage(project, "conf")
        assert (project / KEPT / LOCK).read_text() == (project / LOCK).read_text()
        assert list(LockText.split((project / LOCK).read_text()).entries) == ["report", "train", "score"]

    def test_what_no_generated_file_has_is_given_no_place(self, kept, monkeypatch):
        monkeypatch.setenv("DVC_STAGE", f"{LOCK.replace('.lock', '.yaml')}:elsewhere")
        prepare_stage(kept, "conf")
        assert (kept / LOCK).read_text() == WHOLE

    @pytest.mark.parametrize(("name", "value"), [("DVC_STAGE", None), (MARK, "/project")])
    def test_outside_dvc_and_under_the_driver_nothing_is_asked(self, kept, monkeypatch, name, value):
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
        (kept / LOCK).write_text("")
        prepare_stage(kept, "conf")
