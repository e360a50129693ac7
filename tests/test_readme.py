import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_verdicts_are_those_of_the_committed_report():
    readme = (ROOT / "README.md").read_text()
    report = (ROOT / "data/08_reporting/base/report.md").read_text()
    block = re.search(r"<!-- verdicts.*?-->\n(.*?)\n<!-- end of verdicts -->", readme, re.DOTALL)
    assert block is not None
    assert block[1].startswith("- OOD rises")
    assert f"\n{block[1]}\n" in report


def test_every_local_link_leads_somewhere():
    readme = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", readme) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
