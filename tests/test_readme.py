import re
from pathlib import Path

import yaml

from card24_pipeline.study.readme import BLOCK, fill_readme

ROOT = Path(__file__).parents[1]


def test_figures_are_those_that_the_pipeline_wrote(tmp_path):
    readme = (ROOT / "README.md").read_text()
    blocks = [(kind, path) for kind, path, _ in BLOCK.findall(readme)]
    assert sorted({kind for kind, _ in blocks}) == ["megabytes", "minutes", "text"]
    (tmp_path / "README.md").write_text(readme)
    # Times are in no repository, so the minutes stay.
    for _, path in [block for block in blocks if block[0] != "minutes"]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).symlink_to(ROOT / path)
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    assert not fill_readme(tmp_path)


def test_every_local_link_leads_somewhere():
    readme = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", readme) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_table_of_reruns_knows_every_stage():
    files = [ROOT / "conf/smoke/dvc.yaml", *ROOT.glob("conf/smoke/seed_*/dvc.yaml")]
    count = sum(len(yaml.safe_load(file.read_text())["stages"]) for file in files)
    table = (ROOT / "data/08_reporting/smoke/rerun_table.md").read_text()
    assert f"| none | – | – | {count} of {count} |" in table
