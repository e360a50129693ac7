"""Where a publication comes from."""

import subprocess

import pytest

from card24_pipeline.tracking.provenance import describe_provenance


@pytest.fixture
def project(tmp_path):
    def git(*command):
        done = subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *command],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    git("init", "--quiet")
    for name in ("src/module.py", "conf/smoke/dvc.lock", "data/report.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    return tmp_path, git("rev-parse", "HEAD")


def get_revision(folder):
    return describe_provenance(folder).get("card24.git_revision")


def test_code_that_differs_from_its_revision_is_told(project):
    folder, revision = project
    assert get_revision(folder) == revision
    (folder / "src/module.py").write_text("two")
    assert get_revision(folder) == f"{revision}-dirty"


@pytest.mark.parametrize("result", ["conf/smoke/dvc.lock", "data/report.md"])
def test_results_of_the_run_itself_change_nothing(project, result):
    folder, revision = project
    (folder / result).write_text("two")
    assert get_revision(folder) == revision


def test_folder_without_git_has_no_revision(tmp_path):
    tags = describe_provenance(tmp_path)
    assert "card24.git_revision" not in tags
    assert {"card24.python", "card24.library.torch"} <= set(tags)
