"""The text of a ``dvc.lock``: whether it is whole, its entries, their order."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import indent
from typing import Any

import yaml

from card24_pipeline.versioning.files import FastLoader

EMPTY_LOCK = "schema: '2.0'\nstages:\n"
CONFLICT = re.compile(r"^<<<<<<< ", re.MULTILINE)
_ENTRY = re.compile(r"^  (?! )(?=.*:)", re.MULTILINE)
_HEAD = re.compile(r"\A.*?^stages:\n", re.MULTILINE | re.DOTALL)
_NEXT_KEY = re.compile(r"^\S", re.MULTILINE)


@dataclass(frozen=True)
class LockText:
    """A lock file in parts; their texts, one after another, are the file.

    Attributes:
        head: What stands before the first entry.
        entries: The text of each stage's entry, by the stage's name, in the file's order.
        tail: What stands after the last entry.
    """

    head: str
    entries: Mapping[str, str]
    tail: str = ""

    @classmethod
    def split(cls, text: str) -> LockText:
        """Split a file as DVC writes it; of a cut one the last entry may be cut too."""
        head = _HEAD.match(text)
        if head is None:
            return cls(text, {})
        rest = text[head.end() :]
        end = _NEXT_KEY.search(rest)
        body, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
        starts = [match.start() for match in _ENTRY.finditer(body)]
        pieces = [body[start:stop] for start, stop in pairwise([*starts, len(body)])]
        return cls(head[0], {_read_name(piece): piece for piece in pieces}, tail)

    def join(self) -> str:
        """Return the text of the file."""
        return self.head + "".join(self.entries.values()) + self.tail

    def sort(self, names: Sequence[str]) -> LockText:
        """Bring the entries into the order of the names; others follow in the order that they had."""
        first = {name: self.entries[name] for name in names if name in self.entries}
        return LockText(self.head, first | dict(self.entries), self.tail)

    def select(self, names: Collection[str]) -> LockText:
        """Keep the entries of these names only."""
        return LockText(self.head, {name: self.entries[name] for name in self.entries if name in names}, self.tail)

    def enter(self, name: str) -> LockText:
        """Add an entry of a command that no stage has to those of a name without one, for DVC to write over."""
        if name in self.entries:
            return self
        entry = indent(yaml.safe_dump({name: {"cmd": ""}}, allow_unicode=True), "  ")
        return LockText(self.head, {**self.entries, name: entry}, self.tail)


def is_whole(text: str) -> bool:
    """Tell whether DVC finished writing a lock file: its YAML parses and no entry, nor the last line, is cut."""
    if not text.endswith("\n"):
        return False
    try:
        content = yaml.load(text, FastLoader)
    except yaml.YAMLError:
        return False
    stages = content.get("stages") if isinstance(content, dict) else None
    return isinstance(stages, dict) and "schema" in content and _are_entries(stages)


def has_lost_entries(text: str, kept: str) -> bool:
    """Tell whether the entries of a whole text are but the first ones of a text that was kept before.

    So it looks when DVC was stopped between two entries: it writes all of them anew, in their order.
    """
    now, before = (list(LockText.split(part).entries) for part in (text, kept))
    return len(now) < len(before) and before[: len(now)] == now


def salvage(text: str, source: str) -> str:
    """Lay the entries that a damaged text still has whole over those of an older text.

    An entry is what DVC recorded of one run of its stage, and is compared with the files before it counts, so it is
    right whatever stands beside it.
    """
    old, damaged = LockText.split(source), LockText.split(text)
    found = {name: entry for name, entry in damaged.entries.items() if is_whole(old.head + entry)}
    return LockText(old.head, {**old.entries, **found}, old.tail).join()


def _read_name(entry: str) -> str:
    return entry.partition("\n")[0].strip().removesuffix(":").strip("'\"")


def _are_entries(stages: Mapping[str, Any]) -> bool:
    entries = list(stages.values())
    if not all(isinstance(entry, dict) and "cmd" in entry and None not in entry.values() for entry in entries):
        return False
    # Only the last file of the last entry can be cut where a line ends.
    last = [*(entries[-1].get("deps") or []), *(entries[-1].get("outs") or [])][-1:] if entries else []
    return all(isinstance(file, dict) and len(file) > 2 and _is_hashed(file) for file in last)


def _is_hashed(file: Mapping[str, Any]) -> bool:
    """What follows a hash in the entry of a file is its size and, of a folder, the number of its files."""
    return "md5" not in file or ("size" in file and ("nfiles" in file or not str(file["md5"]).endswith(".dir")))
