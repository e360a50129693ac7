"""Digests that tell one study from another, whatever store it is published to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LAYOUT = 1
"""Raise it when runs come to show something else: then published studies are published anew beside the old."""


def digest_table(table: pd.DataFrame) -> str:
    """Return the SHA-256 of a table's columns and values in their order, written as CSV.

    Floats are written with the digits that tell them apart, so equal tables have equal digests whatever file format
    or library version they come from.
    """
    return digest_text(table.to_csv(index=False, lineterminator="\n"))


def digest_settings(settings: Mapping[str, str]) -> str:
    """Return the SHA-256 of flat settings, in any order."""
    return digest_text(json.dumps(settings, sort_keys=True))


def digest_study(artifacts: Mapping[str, str]) -> str:
    """Return the SHA-256 that names a study: of the names and digests of all it is made of, and of ``LAYOUT``."""
    return digest_text(json.dumps({"layout": LAYOUT, "artifacts": artifacts}, sort_keys=True))


def digest_text(text: str) -> str:
    """Return the SHA-256 of a text as a hexadecimal string."""
    return hashlib.sha256(text.encode()).hexdigest()
