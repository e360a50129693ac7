import pytest

from card24_pipeline.study.readme import ReadmeError, fill_readme, list_kept_times

README = "Before\n<!-- text of out/claims.md -->\nold\n<!-- end of text -->\nAfter\n"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/claims.md").write_text("| verdict |\n")
    return tmp_path


def test_fills_the_block_once(project):
    assert fill_readme(project)
    text = (project / "README.md").read_text()
    assert text == README.replace("old\n", "\n| verdict |\n\n")
    assert not fill_readme(project)


def test_minutes_are_those_of_every_timing_in_the_file(project):
    (project / "README.md").write_text("took <!-- minutes of out/times.json -->?<!-- end of minutes --> minutes\n")
    (project / "out/times.json").write_text(
        '{"first": {"wall_seconds": 50.0, "hands_per_second": 3.0}, "later": {"a": {"wall_seconds": 71}}}'
    )
    assert fill_readme(project)
    assert (project / "README.md").read_text() == (
        "took <!-- minutes of out/times.json -->2<!-- end of minutes --> minutes\n"
    )


def test_minutes_stay_where_nothing_was_timed_and_the_missing_file_is_named(project):
    text = "took <!-- minutes of out/times.json -->104<!-- end of minutes --> minutes\n"
    (project / "README.md").write_text(text)
    assert not fill_readme(project)
    assert (project / "README.md").read_text() == text
    assert list_kept_times(project) == ["out/times.json"]
    (project / "out/times.json").write_text("{}")
    assert list_kept_times(project) == []


def test_megabytes_are_those_of_every_output_of_every_replicate(project):
    (project / "README.md").write_text("<!-- megabytes of dvc.lock --><!-- end of megabytes -->")
    outs = "{outs: [{path: x, size: 1500000}, {path: y, size: 600000}], deps: [{path: z, size: 9000000}]}"
    (project / "dvc.lock").write_text(f"stages: {{one: {outs}, two: {{deps: [{{path: x, size: 1500000}}]}}}}")
    (project / "conf/base/seed_1").mkdir(parents=True)
    (project / "conf/base/seed_1/dvc.lock").write_text("stages: {three: {outs: [{path: w, size: 4000000}]}}")
    fill_readme(project)
    assert (project / "README.md").read_text() == "<!-- megabytes of dvc.lock -->6<!-- end of megabytes -->"


def test_a_missing_file_is_named_and_the_readme_stays(project):
    (project / "out/claims.md").unlink()
    with pytest.raises(ReadmeError, match=r"out/claims\.md is missing"):
        fill_readme(project)
    assert (project / "README.md").read_text() == README


def test_a_readme_without_blocks_is_refused(project):
    (project / "README.md").write_text("nothing here")
    with pytest.raises(ReadmeError, match="expected a block"):
        fill_readme(project)


@pytest.mark.parametrize("end", ["<!-- end of texts -->", ""])
def test_a_block_without_its_end_is_refused(project, end):
    text = f"<!-- text of out/claims.md -->\nold\n{end}\n{README}"
    (project / "README.md").write_text(text)
    with pytest.raises(ReadmeError, match="a block has no end"):
        fill_readme(project)
    assert (project / "README.md").read_text() == text
