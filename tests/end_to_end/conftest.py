"""The smoke study, run once through DVC in a clone of the project."""

from __future__ import annotations

import pytest

from benchmarks.study_clone import Reproduction, StudyClone, clone_study


@pytest.fixture(scope="session")
def unrun_clone(tmp_path_factory: pytest.TempPathFactory) -> StudyClone:
    """A clone of the project; ask for one of the fixtures below instead."""
    return clone_study(tmp_path_factory.mktemp("smoke_study") / "study")


@pytest.fixture(scope="session")
def first_run(unrun_clone: StudyClone) -> Reproduction:
    """What the first `dvc repro` in the clone did."""
    return unrun_clone.reproduce()


@pytest.fixture(scope="session")
def clone(unrun_clone: StudyClone, first_run: Reproduction) -> StudyClone:
    """The clone after that. Tests leave its files as they find them."""
    return unrun_clone
