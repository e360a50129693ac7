"""Records a list of numbers in a parameter file, leaving the rest of it as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.files import write_atomically


def parse_numbers(key: str, text: str) -> list[int]:
    """Parse whole numbers separated by commas.

    Raises:
        VersioningError: When the text is not a list of different ones.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts) or len({int(part) for part in parts}) != len(parts):
        raise VersioningError(f"{key}: expected different whole numbers separated by commas, got '{text}'")
    return [int(part) for part in parts]


def record_numbers(path: Path, key: str, numbers: Sequence[int]) -> None:
    """Write a list under a top-level key of a parameter file, comments kept.

    Args:
        path: The file; it is made when missing.
        key: The key.
        numbers: The list.
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
    listed = content.get(key)
    if isinstance(listed, CommentedSeq):
        if list(listed) == list(numbers):
            return
        # In place, so that a comment on the line stays.
        listed[:] = list(numbers)
    else:
        content[key] = CommentedSeq(numbers)
        content[key].fa.set_flow_style()
    text = StringIO()
    editor.dump(content, text)
    write_atomically(path, text.getvalue())
