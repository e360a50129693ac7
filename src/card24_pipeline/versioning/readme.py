"""Keeps the verdicts in the readme equal to those that the pipeline wrote."""

from __future__ import annotations

import re
from pathlib import Path

from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.files import write_atomically

README = "README.md"
BLOCK = re.compile(r"(<!-- verdicts of (\S+) -->\n)(.*?)(<!-- end of verdicts -->)", re.DOTALL)


def copy_verdicts(project: Path) -> bool:
    """Fill every block of verdicts in the readme with the file that it names.

    A block is ``<!-- verdicts of <path> -->``, what is replaced, and ``<!-- end of verdicts -->``.

    Args:
        project: Root of the project.

    Returns:
        Whether the readme changed.

    Raises:
        VersioningError: If there is no block, or a file that one names is missing.
    """
    readme = project / README
    before = readme.read_text(encoding="utf-8")
    if not BLOCK.search(before):
        raise VersioningError(f"{README}: expected a block <!-- verdicts of <path> --> … <!-- end of verdicts -->")

    def fill(block: re.Match[str]) -> str:
        source = project / block[2]
        if not source.is_file():
            raise VersioningError(f"{README}: {block[2]} is missing: run the study, which writes it")
        return f"{block[1]}\n{source.read_text(encoding='utf-8').strip()}\n\n{block[4]}"

    after = BLOCK.sub(fill, before)
    if after != before:
        write_atomically(readme, after)
    return after != before
