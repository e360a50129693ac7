"""Reading YAML files, writing files whole, and recording lists of numbers in parameter files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from card24_pipeline.versioning.validation import VersioningError

FastLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Reads long files many times faster than Python alone, where the library was built with it."""


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; a missing or empty file is an empty one.

    Raises:
        VersioningError: When the file holds something else or is no YAML.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
    except yaml.YAMLError as error:
        raise VersioningError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict | None):
        raise VersioningError(f"{path}: expected a mapping, got {type(content).__name__}")
    return content or {}


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's text in one step; through a link, the file that it points to."""
    target = path.resolve()
    staged = target.with_name(f".{target.name}.staged-{os.getpid()}")
    try:
        staged.write_text(text, encoding="utf-8")
        staged.replace(target)
    finally:
        staged.unlink(missing_ok=True)


def parse_numbers(key: str, text: str) -> list[int]:
    """Parse different whole numbers separated by commas; raise a VersioningError when the text is anything else."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts) or len({int(part) for part in parts}) != len(parts):
        raise VersioningError(f"{key}: expected different whole numbers separated by commas, got '{text}'")
    return [int(part) for part in parts]


def record_numbers(path: Path, key: str, numbers: Sequence[int]) -> None:
    """Write a list under a top-level key of a parameter file, comments kept; the file is made when missing."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 1000
    editor.indent(mapping=2, sequence=4, offset=2)
    content = editor.load(path) if path.exists() else None
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
