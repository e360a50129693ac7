"""Writing a file whole."""

from __future__ import annotations

import os
from pathlib import Path


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
