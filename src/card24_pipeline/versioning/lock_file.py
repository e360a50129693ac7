"""A lock file of DVC's, freed of entries that no stage has any more."""

from __future__ import annotations

from collections.abc import Collection
from io import StringIO
from pathlib import Path

import yaml

from card24_pipeline.versioning.files import FastLoader, write_atomically
from card24_pipeline.versioning.validation import VersioningError


def drop_entries(lock: Path, kept: Collection[str]) -> list[str]:
    """Drop the entries of a lock file that are none of those to keep; the rest stays as DVC wrote it.

    Args:
        lock: The file.
        kept: Names of stages, with ``@`` and its values where a matrix makes several.

    Returns:
        Names of the entries that were dropped; where there are none, the file is not touched.

    Raises:
        VersioningError: When the file is none that DVC wrote whole.
    """
    try:
        entries = yaml.load(lock.read_text(encoding="utf-8"), FastLoader)["stages"]
        gone = [name for name in entries if name not in kept]
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise VersioningError(f"damaged, DVC did not write it whole ({type(error).__name__})") from error
    if gone:
        from ruamel.yaml import YAML

        editor = YAML()  # with DVC's own settings, so that its next write changes nothing else
        editor.default_flow_style = False
        content = editor.load(lock)
        for name in gone:
            del content["stages"][name]
        text = StringIO()
        editor.dump(content, text)
        write_atomically(lock, text.getvalue())
    return gone
