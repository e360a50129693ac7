"""A throw-away DVC repository: shared stages and a report at the root, two replicates in files of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from card24_pipeline.versioning.driver import DriverRequest, run_scale
from card24_pipeline.versioning.driver_view import DriverView

SOURCE = Path(__file__).parents[3] / "src"
ROOT_FILE = "dvc.yaml"
LOCKS = ("conf/base/seed_0/dvc.lock", "conf/base/seed_1/dvc.lock", "dvc.lock")
DVC = (sys.executable, "-m", "dvc")
DRIVER = """
import sys
from pathlib import Path
from card24_pipeline.versioning.driver import DriverRequest, run_scale
sys.exit(run_scale(DriverRequest(Path.cwd(), "conf", "data", "base", "base", int(sys.argv[1]))))
"""


class DvcProject:
    """The repository. Its stages: deal; train, step_0, step_1 … of each replicate; report."""

    def __init__(self, root: Path) -> None:
        """Take its root."""
        self.root = root

    def make(self, chain: int = 1) -> DvcProject:
        """Write it, with a number of steps in each replicate."""
        root = self.root
        (root / "data").mkdir(parents=True, exist_ok=True)
        (root / "cards.txt").write_text("7 3 8 K\n")
        (root / ".gitignore").write_text("/data/*\n")
        last = f"step_{chain - 1}.txt"
        for seed in (0, 1):
            folder = f"data/seed_{seed}"
            train = f"mkdir -p {folder} && (cat data/hands.txt; echo {seed}) > {folder}/model.txt"
            stages = {"train": _describe(train, ["data/hands.txt"], f"{folder}/model.txt")}
            before = f"{folder}/model.txt"
            for number in range(chain):
                after = f"{folder}/step_{number}.txt"
                stages[f"step_{number}"] = _describe(f"(cat {before}; echo {number}) > {after}", [before], after)
                before = after
            self.write(
                f"conf/base/seed_{seed}/dvc.yaml", {name: {**it, "wdir": "../../.."} for name, it in stages.items()}
            )
        ends = [f"data/seed_{seed}/{last}" for seed in (0, 1)]
        report = _describe(f"cat {' '.join(ends)} > data/report.txt", ends, "data/report.txt")
        deal = _describe("mkdir -p data && tr ' ' '-' < cards.txt > data/hands.txt", ["cards.txt"], "data/hands.txt")
        self.write(ROOT_FILE, {"deal": deal, "report": report})
        self.tool("git", "init", "-q")
        self.tool(*DVC, "init", "-q")
        self.tool("git", "add", "-A")
        self.tool("git", "commit", "-qm", "start")
        return self

    def write(self, file: str, stages: dict[str, Any]) -> None:
        """Write a dvc.yaml."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))

    def change(self, file: str, stage: str, change: Callable[[str], str]) -> None:
        """Change the command of a stage."""
        stages = yaml.safe_load((self.root / file).read_text())["stages"]
        stages[stage]["cmd"] = change(stages[stage]["cmd"])
        self.write(file, stages)

    def tool(self, *command: str) -> str:
        """Run a tool in the repository; return what it wrote."""
        result = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def request(self, jobs: int = 2, *stages: str) -> DriverRequest:
        """Ask for these stages, or all."""
        return DriverRequest(self.root, "conf", "data", "base", "base", jobs, stages)

    def run(self, jobs: int = 2, *stages: str) -> int:
        """Run the driver here, without a terminal."""
        return run_scale(self.request(jobs, *stages), view=DriverView(terminal=False))

    def start(self, jobs: int = 2) -> subprocess.Popen[str]:
        """Start a driver as the leader of a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(jobs)],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def read_locks(self) -> dict[str, str]:
        """Read every lock file."""
        return {lock: (self.root / lock).read_text() for lock in LOCKS if (self.root / lock).exists()}

    def forget(self) -> None:
        """Remove whatever a run leaves."""
        self.tool("git", "clean", "-qfdx", "-e", ".dvc/config")


def _describe(command: str, deps: list[str], out: str) -> dict[str, Any]:
    return {"cmd": command, "deps": deps, "outs": [out]}


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No configuration of this machine's user, a state of DVC's own."""
    private = tmp_path_factory.mktemp("machine")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_", "KEDRO_"))]:
            patch.delenv(name)
        for name in ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR"):
            patch.setenv(name, str(private / name))
        for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
            patch.setenv(name, "nobody")
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("DVC_NO_ANALYTICS", "1")
        patch.setenv("PYTHONPATH", str(SOURCE), prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, environment: None) -> DvcProject:
    """The repository before anything ran; tests take copies."""
    return DvcProject(tmp_path_factory.mktemp("made") / "study").make()


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory, made: DvcProject) -> DvcProject:
    """The repository after a driver ran all of it; tests take copies."""
    root = tmp_path_factory.mktemp("ran") / "study"
    shutil.copytree(made.root, root, symlinks=True)
    assert DvcProject(root).run() == 0
    return DvcProject(root)


@pytest.fixture
def study(made: DvcProject, tmp_path: Path) -> DvcProject:
    """The repository, of which nothing has run."""
    shutil.copytree(made.root, tmp_path / "study", symlinks=True)
    return DvcProject(tmp_path / "study")


@pytest.fixture
def done(ran: DvcProject, tmp_path: Path) -> DvcProject:
    """The repository, of which all is up to date."""
    shutil.copytree(ran.root, tmp_path / "study", symlinks=True)
    return DvcProject(tmp_path / "study")


@pytest.fixture
def project(study: DvcProject) -> Path:
    """The root of the repository of which nothing has run."""
    return study.root


@pytest.fixture
def long_study(tmp_path: Path) -> DvcProject:
    """A repository with four steps in each replicate, of which nothing has run."""
    return DvcProject(tmp_path / "study").make(chain=4)
