"""The files that results were made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest_files(paths: Iterable[Path], root: Path) -> dict[str, str]:
    """Return the MD5 of every file, as DVC takes it, by its path below a folder; one that is not there is "missing"."""
    return {
        path.relative_to(root).as_posix(): hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else "missing"
        for path in paths
    }
