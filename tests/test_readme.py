import re
from pathlib import Path

from card24_pipeline.versioning.readme import BLOCK

ROOT = Path(__file__).parents[1]


def test_verdicts_are_those_that_the_pipeline_wrote():
    blocks = BLOCK.findall((ROOT / "README.md").read_text())
    assert [path for _, path, _, _ in blocks] == ["data/08_reporting/base/claims.md"]
    for _, path, verdicts, _ in blocks:
        assert verdicts.strip() == (ROOT / path).read_text().strip()


def test_every_local_link_leads_somewhere():
    readme = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", readme) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
