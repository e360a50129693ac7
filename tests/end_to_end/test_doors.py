"""Every door into the project, tried with one cheap node; and what opening one must not load."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.study_clone import StudyClone

NODE = ("--env=smoke", "--nodes=game.split_multisets")
WRITTEN = "data/01_raw/smoke/shared/multisets.parquet"
HEAVY = ("torch", "transformers", "trl", "mlflow", "matplotlib", "plotly")
# A command in a process of its own, which then tells what it loaded.
LISTING = """
import sys
from kedro.framework.cli.cli import main
sys.argv = ["kedro", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("loaded:", *(name for name in {heavy} if name in sys.modules))
"""


def run(folder: Path, source: Path, *command: str) -> str:
    """Run a command in a folder with the package of another; it must succeed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KEDRO_", "CARD24_", "GIT_"))}
    environment = {**kept, "PATH": path, "PYTHONPATH": str(source), "KEDRO_DISABLE_TELEMETRY": "1"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def copy(clone: StudyClone, root: Path) -> Path:
    """Copy what git has of a clone, and its repository."""
    ignored = shutil.ignore_patterns("0[1-9]_*", ".progress", "cache", "tmp", "__pycache__")
    return Path(shutil.copytree(clone.root, root, symlinks=True, ignore=ignored))


@pytest.fixture(scope="module")
def checkout(unrun_clone: StudyClone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose path holds what shells, URLs and patterns take for their own."""
    return copy(unrun_clone, tmp_path_factory.mktemp("doors") / "a b%20c#d?e")


@pytest.fixture(scope="module")
def packaged(checkout: Path) -> Path:
    """What ``kedro package`` makes."""
    run(checkout, checkout / "src", "kedro", "package")
    return checkout / "dist"


@pytest.fixture(autouse=True)
def unwritten(checkout: Path) -> None:
    (checkout / WRITTEN).unlink(missing_ok=True)


@pytest.mark.parametrize("command", [("kedro", "run"), ("python", "-m", "card24_pipeline")], ids=["kedro", "module"])
def test_checkout_with_an_odd_path(checkout: Path, command: tuple[str, ...]) -> None:
    run(checkout, checkout / "src", *command, *NODE)
    assert (checkout / WRITTEN).is_file()


def test_dvc_in_a_checkout_with_an_odd_path(checkout: Path) -> None:
    run(checkout, checkout / "src", "dvc", "repro", "--single-item", "conf/smoke/dvc.yaml:split_multisets")
    assert (checkout / WRITTEN).is_file()


def test_run_from_a_sub_folder(checkout: Path) -> None:
    folder = checkout / "src/card24_pipeline/game"
    run(folder, checkout / "src", "kedro", "run", *NODE)
    assert (checkout / WRITTEN).is_file()
    assert not (folder / "data").exists()


def test_wheel_with_its_packaged_configuration(packaged: Path, tmp_path: Path) -> None:
    (wheel,) = packaged.glob("*.whl")
    site, folder = tmp_path / "site", tmp_path / "elsewhere"
    folder.mkdir()
    run(folder, site, "python", "-m", "zipfile", "-e", str(wheel), str(site))
    found = run(folder, site, "python", "-c", "import card24_pipeline; print(card24_pipeline.__file__)")
    assert Path(found.strip()).is_relative_to(site)
    configuration = packaged / "conf-card24_pipeline.tar.gz"
    run(folder, site, "python", "-m", "card24_pipeline", f"--conf-source={configuration}", *NODE)
    assert (folder / WRITTEN).is_file()


@pytest.mark.parametrize("command", [("registry", "list"), ("dvc", "check")], ids=" ".join)
def test_listing_and_checking_load_no_heavy_library(checkout: Path, command: tuple[str, ...]) -> None:
    shown = run(checkout, checkout / "src", "python", "-c", LISTING.format(heavy=HEAVY), *command)
    assert shown.splitlines()[-1] == "loaded:"
