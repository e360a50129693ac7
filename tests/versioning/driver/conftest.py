"""A throw-away DVC repository: shared stages and a report at the root, two replicates in files of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from card24_pipeline.versioning.driver import DriverRequest

SOURCE = Path(__file__).parents[3] / "src"
LOCKS = ("conf/base/seed_0/dvc.lock", "conf/base/seed_1/dvc.lock", "dvc.lock")
SEEDS = (0, 1)

DRIVER = """
import sys
from pathlib import Path
from card24_pipeline.versioning.driver import DriverRequest, run_scale
print("ready", flush=True)
sys.exit(run_scale(DriverRequest(Path.cwd(), "conf", "data", "base", "base", int(sys.argv[1]), sys.argv[2:])))
"""

Tool = Callable[..., subprocess.CompletedProcess[str]]


def describe_stage(command: str, deps: list[str], out: str) -> dict:
    return {"cmd": command, "deps": deps, "outs": [out]}


def write_project(root: Path, pause: float = 0.0, chain: int = 1) -> None:
    """Write the files of the project: a pause in each training, and how many stages follow it in each replicate."""
    (root / "data").mkdir(parents=True, exist_ok=True)
    (root / "cards.txt").write_text("7 3 8 K\n")
    (root / ".gitignore").write_text("/data/*\n")
    ends = []
    for seed in SEEDS:
        folder = f"data/seed_{seed}"
        wait = f"sleep {pause} && " if pause else ""
        stages = {
            # Not in the order of their names, nor in the one in which side by side they end.
            "train": describe_stage(
                f"mkdir -p {folder} && {wait}(cat data/hands.txt; echo {seed}) > {folder}/model.txt",
                ["data/hands.txt"],
                f"{folder}/model.txt",
            )
        }
        for number in range(chain):
            before = f"{folder}/model.txt" if number == 0 else f"{folder}/step_{number - 1}.txt"
            stages[f"step_{number}"] = describe_stage(
                f"(cat {before}; echo {number}) > {folder}/step_{number}.txt", [before], f"{folder}/step_{number}.txt"
            )
        ends.append(f"{folder}/step_{chain - 1}.txt")
        write_stages(root / f"conf/base/seed_{seed}/dvc.yaml", stages, "../../..")
    write_stages(
        root / "dvc.yaml",
        {
            "deal": describe_stage("tr ' ' '-' < cards.txt > data/hands.txt", ["cards.txt"], "data/hands.txt"),
            "report": describe_stage(f"cat {' '.join(ends)} > data/report.txt", ends, "data/report.txt"),
        },
    )


def write_stages(path: Path, stages: dict[str, dict], wdir: str | None = None) -> None:
    """Write a dvc.yaml."""
    path.parent.mkdir(parents=True, exist_ok=True)
    placed = {name: {**stage, **({"wdir": wdir} if wdir else {})} for name, stage in stages.items()}
    path.write_text(yaml.safe_dump({"stages": placed}, sort_keys=False))


def change_command(root: Path, file: str, stage: str, change: Callable[[str], str]) -> None:
    """Change the command of a stage."""
    path = root / file
    content = yaml.safe_load(path.read_text())
    content["stages"][stage]["cmd"] = change(content["stages"][stage]["cmd"])
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def read_locks(root: Path) -> dict[str, str]:
    """Read every lock file."""
    return {lock: (root / lock).read_text() for lock in LOCKS if (root / lock).exists()}


@pytest.fixture(autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of this machine's user, a state of DVC's own."""
    private = tmp_path_factory.mktemp("machine")
    for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_", "KEDRO_"))]:
        monkeypatch.delenv(name)
    for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR"):
        monkeypatch.setenv(name, str(private / name))
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The repository."""
    write_project(tmp_path)
    run_tool(tmp_path, "git", "init", "-q")
    run_tool(tmp_path, sys.executable, "-m", "dvc", "init", "-q")
    run_tool(tmp_path, "git", "add", "-A")
    run_tool(tmp_path, "git", "commit", "-qm", "start")
    return tmp_path


@pytest.fixture
def request_all(project: Path) -> DriverRequest:
    """A request for everything, two stages side by side."""
    return DriverRequest(project, "conf", "data", "base", "base", 2)


def one_job(request: DriverRequest) -> DriverRequest:
    """The same request, one stage after another."""
    return replace(request, jobs=1)


def run_tool(root: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a tool in the project."""
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def start_driver(root: Path, jobs: int = 2, *stages: str) -> subprocess.Popen[str]:
    """Start a driver as the leader of a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(jobs), *stages],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
