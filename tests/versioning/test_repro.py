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
    assert reproduce(run_tool) == ["deal_hands", "train_model@0", "train_model@1", "write_report"]
    summary = yaml.safe_load((toy_project / "data/08_reporting/base/summary.json").read_text())
    assert summary == {"seeds": [0, 1], "total": 9.0}
    assert reproduce(run_tool) == []

    # A seed more: its own run and what brings seeds together.
    assert run_tool("kedro", "dvc", "sync", "--seeds", "0,1,2").returncode == 0
    assert reproduce(run_tool) == ["train_model@2", "write_report"]

    # A module that only the report reaches.
    with (toy_project / "src/toy/report.py").open("a") as file:
        file.write("# touched\n")
    assert reproduce(run_tool) == ["write_report"]

    # Another scale beside it, from a folder of its own.
    assert run_tool("kedro", "dvc", "sync", "--env=smoke", "--seeds=1").returncode == 0
    assert reproduce(run_tool, "conf/smoke/dvc.yaml") == ["deal_hands", "train_model@1", "write_report"]
    assert (toy_project / "conf/smoke/dvc.lock").exists()
    assert reproduce(run_tool) == reproduce(run_tool, "conf/smoke/dvc.yaml") == []

    # Both files declare metrics, each from its own folder. DVC leaves lists out.
    shown = run_tool("dvc", "metrics", "show", "--json")
    assert {path: metrics["data"] for path, metrics in json.loads(shown.stdout)[""]["data"].items()} == {
        "data/08_reporting/base/summary.json": {"total": 18.0},
        "data/08_reporting/smoke/summary.json": {"total": 6.0},
    }
