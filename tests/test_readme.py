import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = r"<!-- verdicts: copied from (\S+?);.*?-->\n(.*?)\n<!-- end of verdicts -->"


def test_verdicts_are_those_of_the_committed_reports():
    blocks = re.findall(BLOCK, (ROOT / "README.md").read_text(), re.DOTALL)
    assert {Path(path).name for path, _ in blocks} == {
        "report.md",
        "report_rl.md",
        "report_spectra.md",
        "report_recovery.md",
    }
    for path, verdicts in blocks:
        assert verdicts.startswith("- ")
        assert f"\n{verdicts}\n" in (ROOT / path).read_text()


def test_every_local_link_leads_somewhere():
    readme = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)]+)\)", readme) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
