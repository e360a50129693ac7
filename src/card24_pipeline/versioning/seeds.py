"""Records the list of seeds in a parameter file, leaving the rest of it as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.files import write_atomically


def parse_seeds(text: str) -> list[int]:
    """Parse seeds separated by commas.

    Raises:
        VersioningError: When the text is not a list of different whole numbers.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts) or len({int(part) for part in parts}) != len(parts):
        raise VersioningError(f"seeds: expected different whole numbers separated by commas, got '{text}'")
    return [int(part) for part in parts]


def record_seeds(path: Path, seeds: Sequence[int]) -> None:
    """Write ``seeds:`` into a parameter file, comments kept.

    Args:
        path: The file; it is made when missing.
        seeds: The seeds that the study runs.
    """
    from io import StringIO

    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 1000
    editor.indent(mapping=2, sequence=4, offset=2)
    content = editor.load(path.read_text(encoding="utf-8")) if path.exists() else None
    content = CommentedMap() if content is None else content
    listed = content.get("seeds")
    if isinstance(listed, CommentedSeq):
        if list(listed) == list(seeds):
            return
        # In place, so that a comment on the line stays.
        listed[:] = list(seeds)
    else:
        content["seeds"] = CommentedSeq(seeds)
        content["seeds"].fa.set_flow_style()
    text = StringIO()
    editor.dump(content, text)
    write_atomically(path, text.getvalue())
