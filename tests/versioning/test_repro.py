"""DVC accepts the generated files, runs what changed and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import yaml

Tool = Callable[..., CompletedProcess[str]]


def reproduce(run_tool: Tool, *arguments: str) -> list[str]:
    """Run ``dvc repro`` and return the stages that it ran."""
    result = run_tool("dvc", "repro", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return re.findall(r"Running stage '(?:[^':]*:)?([^']+)'", result.stdout)


def test_only_what_changed_runs(toy_project: Path, run_tool: Tool) -> None:
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["kedro", "dvc", "sync"]):
        assert run_tool(*command).returncode == 0
    assert reproduce(run_tool) == [
        "deal_hands",
        *(f"train_model-{arm}@{seed}" for arm in ("slow", "fast") for seed in (0, 1)),
        "write_report",
    ]
    summary = yaml.safe_load((toy_project / "data/08_reporting/base/summary.json").read_text())
    assert summary == {"seeds": [0, 1], "arms": ["fast", "slow"], "total": 54.0}
    assert reproduce(run_tool) == []

    # A seed more: its own runs and what brings seeds together.
    assert run_tool("kedro", "dvc", "sync", "--seeds", "0,1,2").returncode == 0
    assert reproduce(run_tool) == ["train_model-slow@2", "train_model-fast@2", "write_report"]

    # A block changed and one more: their own runs.
    params = toy_project / "params.yaml"
    params.write_text(
        params.read_text().replace("rate: 1.5", "rate: 2.5") + "  third: {algorithm: linear, rate: 3.0}\n"
    )
    assert run_tool("kedro", "dvc", "sync").returncode == 0
    changed = [f"train_model-{arm}@{seed}" for arm in ("fast", "third") for seed in range(3)]
    assert reproduce(run_tool) == [*changed, "write_report"]

    # The code that one block chooses, and a module that only the report reaches.
    for name, stages in (
        ("algorithms/square", [f"train_model-fast@{seed}" for seed in range(3)]),
        ("report", ["write_report"]),
    ):
        with (toy_project / f"src/toy/{name}.py").open("a") as file:
            file.write("# touched\n")
        assert reproduce(run_tool) == stages

    # Another scale beside it, from a folder of its own.
    assert run_tool("kedro", "dvc", "sync", "--env=smoke", "--seeds=1").returncode == 0
    assert reproduce(run_tool, "conf/smoke/dvc.yaml") == ["deal_hands", "train_model-slow@1", "write_report"]
    assert (toy_project / "conf/smoke/dvc.lock").exists()
    assert reproduce(run_tool) == reproduce(run_tool, "conf/smoke/dvc.yaml") == []

    # Both files declare metrics, each from its own folder. DVC leaves lists out.
    shown = run_tool("dvc", "metrics", "show", "--json")
    totals = {path: metrics["data"]["total"] for path, metrics in json.loads(shown.stdout)[""]["data"].items()}
    assert totals.keys() == {"data/08_reporting/base/summary.json", "data/08_reporting/smoke/summary.json"}
    assert totals["data/08_reporting/smoke/summary.json"] == 15.0


def test_each_seed_has_a_lock_of_its_own(replicated: Path, run_tool: Tool) -> None:
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["kedro", "dvc", "sync"]):
        assert run_tool(*command).returncode == 0
    trained = ["train_model-fast", "train_model-slow"]  # in what order is DVC's choice, since none needs another
    first, *between, last = reproduce(run_tool)
    assert (first, sorted(between), last) == ("deal_hands", sorted([*trained, *trained]), "write_report")
    assert reproduce(run_tool) == []
    locks = {path.parent.name: path for path in replicated.rglob("dvc.lock") if ".dvc" not in path.parts}
    assert locks.keys() == {replicated.name, "seed_0", "seed_1"}
    before = {name: path.read_bytes() for name, path in locks.items()}

    # A seed more: its own runs and what brings seeds together. Away and back again: the latter alone.
    seeds = [("0,1,2", [*trained, "write_report"]), ("0,1", ["write_report"]), ("0,1,2", ["write_report"])]
    for listed, stages in seeds:
        assert run_tool("kedro", "dvc", "sync", f"--seeds={listed}").returncode == 0
        assert sorted(reproduce(run_tool)) == stages
        assert {name: locks[name].read_bytes() for name in ("seed_0", "seed_1")} == {
            name: before[name] for name in ("seed_0", "seed_1")
        }
    summary = yaml.safe_load((replicated / "data/08_reporting/base/summary.json").read_text())
    assert summary["seeds"] == [0, 1, 2]

    # One stage by its file and name.
    assert reproduce(run_tool, "--force", "-s", "conf/base/seed_2/dvc.yaml:train_model-slow") == ["train_model-slow"]
    assert reproduce(run_tool) == []
