import pytest

from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.readme import copy_verdicts

README = "Before\n<!-- verdicts of out/claims.md -->\nold\n<!-- end of verdicts -->\nAfter\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/claims.md").write_text("| verdict |\n")
    return tmp_path


def test_fills_the_block_once(project):
    assert copy_verdicts(project)
    text = (project / "README.md").read_text()
    assert text == README.replace("old\n", "\n| verdict |\n\n")
    assert not copy_verdicts(project)


def test_a_missing_file_is_named_and_the_readme_stays(project):
    (project / "out/claims.md").unlink()
    with pytest.raises(VersioningError, match=r"out/claims\.md is missing"):
        copy_verdicts(project)
    assert (project / "README.md").read_text() == README


def test_a_readme_without_blocks_is_refused(project):
    (project / "README.md").write_text("nothing here")
    with pytest.raises(VersioningError, match="expected a block"):
        copy_verdicts(project)
