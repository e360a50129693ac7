"""The commands, on a project in miniature."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from card24_pipeline.versioning.settings import pack_configuration

GONE = """\
  train_model-third:
    cmd: kedro run
    outs:
    - path: data/third
      hash: md5
      md5: 5058f1af8388633f609cadb75a75dc9d
      size: 1
"""
LOCK = f"""\
schema: '2.0'
stages:
  train_model-slow:
    cmd: kedro run --env=base --nodes=train_model --params=seed=0,arm=slow
    outs:
    - path: data/slow
      hash: md5
      md5: 0b26e313ed4a7ca6904b0e9369e5b957
      size: 12
{GONE}"""

CUT = LOCK.rstrip()[:-1]

Tool = Callable[..., CompletedProcess[str]]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


class TestSync:
    def test_sync_then_check_then_stale(self, toy_project: Path, run_tool: Tool) -> None:
        assert run_tool("kedro", "dvc", "sync").returncode == 0
        base = yaml.safe_load((toy_project / "dvc.yaml").read_text())["stages"]
        smoke = yaml.safe_load((toy_project / "conf/smoke/dvc.yaml").read_text())["stages"]
        assert list(base) == ["deal_hands", "train_model-slow", "train_model-fast", "write_report"]
        assert list(smoke) == ["deal_hands", "train_model-slow", "write_report"]
        assert base["train_model-fast"] == {
            "matrix": {"seed": [0, 1]},
            "cmd": "kedro run --env=base --nodes=train_model --params=seed=${item.seed},arm=fast",
            "deps": [
                "data/01_raw/base/shared/hands.parquet",
                "src/toy/__init__.py",
                "src/toy/algorithms/__init__.py",
                "src/toy/algorithms/square.py",
                "src/toy/train.py",
            ],
            "params": [{"params.yaml": ["arms.fast", "train"]}],
            "outs": ["data/07_model_output/base/seed_${item.seed}/fast/scores.parquet"],
        }
        assert smoke["train_model-slow"]["params"] == [
            {"conf/smoke/parameters.yml": ["arms.slow", "train.steps"]},
            {"params.yaml": ["train.shape"]},
        ]
        assert base["write_report"]["cmd"].endswith("--nodes=write_report --params=seed=all,arm=all")
        assert base["write_report"]["params"] == [{"params.yaml": ["arms", "seeds"]}]
        assert len([path for path in base["write_report"]["deps"] if path.endswith("scores.parquet")]) == 4
        assert smoke["write_report"]["outs"] == [{"data/08_reporting/smoke/summary.json": {"cache": False}}]
        assert run_tool("kedro", "dvc", "check").returncode == 0

        edit(toy_project / "src/toy/report.py", "frame = ", "import toy.numbers.ranks\n    frame = ")
        result = run_tool("kedro", "dvc", "check")
        assert result.returncode == 1
        assert "stale: dvc.yaml, conf/smoke/dvc.yaml (run `kedro dvc sync`)" in result.stderr
        assert "+      - src/toy/numbers/ranks.py" in result.stdout

    def test_seeds_are_recorded_for_one_scale(self, toy_project: Path, run_tool: Tool) -> None:
        before = (toy_project / "params.yaml").read_text()
        assert run_tool("kedro", "dvc", "sync", "--env", "smoke", "--seeds", "0,5").returncode == 0
        assert (toy_project / "params.yaml").read_text() == before
        assert not (toy_project / "dvc.yaml").exists()
        smoke = yaml.safe_load((toy_project / "conf/smoke/dvc.yaml").read_text())["stages"]
        assert smoke["train_model-slow"]["matrix"] == {"seed": [0, 5]}
        assert {"conf/smoke/parameters.yml": ["arms", "seeds"]} in smoke["write_report"]["params"]

        assert run_tool("kedro", "dvc", "sync", "--seeds", "0,1,2").returncode == 0
        assert (toy_project / "params.yaml").read_text() == before.replace("[0, 1]  #", "[0, 1, 2] #")
        assert (toy_project / "conf/base/parameters.yml").is_symlink()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--env", "huge"), "Error: no scale 'huge'"),
            (("--seeds", "0,x"), "Error: seeds: expected different whole numbers"),
        ],
    )
    def test_bad_arguments(self, run_tool: Tool, arguments: tuple[str, ...], message: str) -> None:
        result = run_tool("kedro", "dvc", "sync", *arguments)
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr

    def test_error_in_one_scale_writes_none(self, toy_project: Path, run_tool: Tool) -> None:
        (toy_project / "conf/smoke/catalog.yml").write_text(
            "hands: {type: json.JSONDataset, filepath: elsewhere/hands.json}\n"
        )
        result = run_tool("kedro", "dvc", "sync")
        assert result.returncode == 1
        assert "scale smoke: node 'deal_hands' writes 'hands' outside data/" in result.stderr
        assert not (toy_project / "dvc.yaml").exists()

    def test_globals_must_name_their_folder(self, toy_project: Path, run_tool: Tool) -> None:
        (toy_project / "conf/smoke/globals.yml").write_text("scale: base\n")
        result = run_tool("kedro", "dvc", "check")
        assert "conf/smoke/globals.yml: scale: expected the folder's name 'smoke', got 'base'" in result.stderr


class TestReplicates:
    """Files of stages for each seed."""

    OWN = "conf/base/seed_{}/dvc.yaml"

    def list_files(self, project: Path) -> list[str]:
        return sorted(path.relative_to(project).as_posix() for path in project.rglob("dvc.yaml"))

    def test_a_file_for_each_seed_and_what_is_left_over_goes(self, replicated: Path, run_tool: Tool) -> None:
        assert run_tool("kedro", "dvc", "sync").returncode == 0
        own = [self.OWN.format(seed) for seed in (0, 1)]
        smoke = [path.replace("base", "smoke") for path in own]
        assert self.list_files(replicated) == sorted([*own, "conf/smoke/dvc.yaml", *smoke, "dvc.yaml"])
        stages = yaml.safe_load((replicated / own[1]).read_text())["stages"]
        assert list(stages) == ["train_model-slow", "train_model-fast"]
        assert stages["train_model-fast"]["cmd"].endswith("--nodes=train_model --params=seed=1,arm=fast")
        assert list(yaml.safe_load((replicated / "dvc.yaml").read_text())["stages"]) == ["deal_hands", "write_report"]

        # A seed less, and a file of someone's own in a folder like those.
        (replicated / "conf/base/seed_9").mkdir()
        (replicated / self.OWN.format(9)).write_text("stages: {}\n")
        (replicated / "conf/base/seed_1/dvc.lock").write_text(LOCK)
        edit(replicated / "params.yaml", "seeds: [0, 1]", "seeds: [0]")
        result = run_tool("kedro", "dvc", "check")
        assert f"{own[1]}: left over" in result.stdout
        assert f"stale: dvc.yaml, conf/smoke/dvc.yaml, {own[1]}, {smoke[1]} (run" in result.stderr
        result = run_tool("kedro", "dvc", "sync")
        assert f"{own[1]}: removed (its lock file stays)" in result.stdout
        kept = [own[0], self.OWN.format(9), "conf/smoke/dvc.yaml", smoke[0], "dvc.yaml"]
        assert self.list_files(replicated) == sorted(kept)
        assert (replicated / "conf/base/seed_1/dvc.lock").read_text() == LOCK
        assert run_tool("kedro", "dvc", "check").returncode == 0

    def test_locks_lose_what_is_no_stage_and_damaged_ones_are_left(self, replicated: Path, run_tool: Tool) -> None:
        for seed, text in enumerate((LOCK, CUT)):
            lock = replicated / f"conf/base/seed_{seed}/dvc.lock"
            lock.parent.mkdir()
            lock.write_text(text)
        result = run_tool("kedro", "dvc", "sync")
        assert result.returncode == 0
        assert "conf/base/seed_0/dvc.lock: 1 entries of former stages dropped" in result.stdout
        assert "conf/base/seed_1/dvc.lock: left as it is: damaged, DVC did not write it whole" in result.stdout
        assert (replicated / "conf/base/seed_0/dvc.lock").read_text() == LOCK.replace(GONE, "")
        assert (replicated / "conf/base/seed_1/dvc.lock").read_text() == CUT
        assert run_tool("kedro", "dvc", "sync").stdout.count("dvc.lock") == 1

    def test_a_lock_that_lost_former_stages_is_healthy_to_all(self, replicated: Path, run_tool: Tool) -> None:
        for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["kedro", "dvc", "sync"]):
            assert run_tool(*command).returncode == 0
        lock = replicated / "conf/base/seed_0/dvc.lock"
        lock.write_text(LOCK)
        assert run_tool("git", "add", "-A").returncode == 0
        assert run_tool("git", "-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "old").returncode == 0
        assert "every dvc.lock is whole" in run_tool("kedro", "dvc", "heal").stdout  # which keeps a copy
        assert "1 entries of former stages dropped" in run_tool("kedro", "dvc", "sync").stdout
        pruned = LOCK.replace(GONE, "")
        assert (replicated / ".dvc/tmp/kept_locks/conf/base/seed_0/dvc.lock").read_text() == lock.read_text() == pruned
        plain = run_tool("dvc", "repro", "dvc.yaml:deal_hands")
        assert plain.returncode == 0, plain.stdout + plain.stderr
        assert "every dvc.lock is whole" in run_tool("kedro", "dvc", "heal").stdout
        assert lock.read_text() == pruned
        # Neither does the last commit bring it back.
        (replicated / ".dvc/tmp/kept_locks/conf/base/seed_0/dvc.lock").unlink()
        lock.write_text("")
        assert "restored from the last commit (1 entries)" in run_tool("kedro", "dvc", "heal").stdout
        assert lock.read_text() == pruned

    def test_folders_of_stages_are_no_configuration(self, replicated: Path, run_tool: Tool) -> None:
        assert run_tool("kedro", "dvc", "sync").returncode == 0
        (replicated / "dist").mkdir()
        pack_configuration(replicated, "toy")
        with tarfile.open(replicated / "dist/conf-toy.tar.gz") as archive:
            names = set(archive.getnames())
        assert {"conf/pyproject.toml", "conf/base/parameters.yml", "conf/smoke/globals.yml"} <= names
        assert not [name for name in names if "seed_" in name or "dvc." in name]
        assert run_tool("kedro", "run", "--params=seed=1").returncode == 0


class TestKedroBesideIt:
    def test_wrong_parameter_stops_before_any_node(self, toy_project: Path, run_tool: Tool) -> None:
        edit(toy_project / "conf/smoke/parameters.yml", "steps: 1", "steps: many")
        result = run_tool("kedro", "run", "--env=smoke")
        assert result.returncode == 1
        message = "conf/smoke/parameters.yml (scale smoke): train.steps: expected a whole number, got 'many'"
        assert message in result.stderr
        assert "Traceback" not in result.stdout + result.stderr
        assert not (toy_project / "data").exists()

    def test_plain_run_uses_one_value_of_each_key(self, toy_project: Path, run_tool: Tool) -> None:
        assert run_tool("kedro", "run", "--params=seed=3").returncode == 0
        summary = yaml.safe_load((toy_project / "data/08_reporting/base/summary.json").read_text())
        assert (summary["seeds"], summary["arms"]) == ([3], ["slow"])

    def test_unknown_value_of_a_key_is_named(self, toy_project: Path, run_tool: Tool) -> None:
        result = run_tool("kedro", "run", "--params=arm=slwo")
        assert result.returncode == 1
        message = "Error: scale base: --params: arm: expected one of slow, fast or all, got 'slwo'"
        assert result.stderr.splitlines()[-1] == message
        assert not (toy_project / "data").exists()
