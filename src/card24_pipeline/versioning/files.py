"""Reading YAML files and writing files whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from card24_pipeline.versioning.errors import VersioningError


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; a missing or empty file is an empty one.

    Raises:
        VersioningError: When the file holds something else or is no YAML.
    """
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise VersioningError(f"{path}: not valid YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise VersioningError(f"{path}: expected a mapping, got {type(content).__name__}")
    return content


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's text in one step; through a link, the file that it points to.

    Args:
        path: The file, in a folder that exists.
        text: Its new content.
    """
    target = path.resolve()
    staged = target.with_name(f".{target.name}.staged-{os.getpid()}")
    staged.write_text(text, encoding="utf-8")
    staged.replace(target)
