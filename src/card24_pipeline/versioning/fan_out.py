"""Fan-out keys of a run: what each may be, what follows from one, and what the ones not given are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from card24_pipeline.versioning.settings import FanOutKey
from card24_pipeline.versioning.validation import VersioningError

ALL = "all"  # of a run that brings every value together
NONE = "none"  # of a key whose values all disagree with what is fixed, and of one that a run is to know nothing of
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

Value = int | str


class _DisagreementError(VersioningError):
    """Two keys that do not go together."""


class FanOut:
    """The fan-out keys of a project with the values that its parameters give them."""

    def __init__(self, keys: Mapping[str, FanOutKey], params: Mapping[str, Any]) -> None:
        """Look the values up; raise a VersioningError where they are neither a list nor a mapping of named blocks."""
        self.keys = keys
        self._values = {name: _find_values(key.values, params) for name, key in keys.items()}

    def has_blocks(self, name: str) -> bool:
        """Tell whether the values of a key are named blocks."""
        return isinstance(self._values[name], Mapping)

    def get_folder(self, fixed: Mapping[str, Value]) -> str:
        """Return the folder of the values that are fixed; an empty text where none of these keys has one."""
        templates = {name: self.keys[name].folder for name in fixed}
        folders = [text.replace(f"{{{name}}}", str(fixed[name])) for name, text in templates.items() if text]
        return folders[0] if folders else ""

    def list_values(self, name: str) -> tuple[Value, ...]:
        """List the values of a key."""
        return tuple(self._values[name])

    def get_block(self, name: str, value: Value) -> Mapping[str, Any]:
        """Return the block that a value names; an empty one where it names none."""
        found = self._values[name].get(value) if self.has_blocks(name) else None
        return found if isinstance(found, Mapping) else {}

    def imply(self, fixed: Mapping[str, Value]) -> dict[str, Value]:
        """Add what follows from the keys that are fixed.

        Raises:
            VersioningError: When two keys disagree, or a block lacks the field that fixes another key.
        """
        run, waiting = dict(fixed), list(fixed)
        while waiting:
            name = waiting.pop()
            if run[name] in (ALL, NONE):
                continue
            block = self.get_block(name, run[name])
            for other, field in self.keys[name].implies.items():
                where = f"{self.keys[name].values}.{run[name]}.{field}"
                if block.get(field) not in self.list_values(other):
                    known = ", ".join(map(str, self.list_values(other)))
                    raise VersioningError(f"{where}: expected one of {known}, got {block.get(field)!r}")
                if other not in run:
                    run[other] = block[field]
                    waiting.append(other)
                elif run[other] not in (block[field], ALL):
                    raise _DisagreementError(
                        f"{name}={run[name]} goes with {other}={block[field]} ({where}), not with {run[other]}"
                    )
        return run

    def fill(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the runtime parameters of a run; a given key wins and fixes what it implies.

        Returns:
            Them with every key: one that is not given is ``all`` if a given one is, and else the first of its values
            that agrees with what is fixed.

        Raises:
            VersioningError: When a given key is none of its values or two disagree.
        """
        run = self.imply({name: self._check_given(name, given[name]) for name in self.keys if name in given})
        everything = ALL in run.values()
        for name in self.keys:
            if name not in run:
                run = {**run, name: ALL} if everything else self._complete(run, name)
        return {**given, **run}

    def _complete(self, run: Mapping[str, Value], name: str) -> dict[str, Value]:
        for value in self.list_values(name):
            try:
                return self.imply({**run, name: value})
            except _DisagreementError:
                continue
        return {**run, name: NONE}

    def _check_given(self, name: str, value: Any) -> Value:
        values = self.list_values(name)
        # A list names what is run by default; any other value of its kind may be run too.
        fits = value in values if self.has_blocks(name) else type(value) is type(values[0])
        if fits or value in (ALL, NONE):
            return value
        expected = f"one of {', '.join(map(str, values))}" if self.has_blocks(name) else f"a value like {values[0]}"
        raise VersioningError(f"--params: {name}: expected {expected} or {ALL}, got {value!r}")


def _find_values(key: str, params: Mapping[str, Any]) -> Any:
    values: Any = params
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    if isinstance(values, Mapping) and values:
        if all(isinstance(name, str) and _is_value(name) and name not in (ALL, NONE) for name in values):
            return values
        raise VersioningError(f"{key}: expected names of letters, digits and '_', got {', '.join(map(str, values))}")
    if not isinstance(values, list) or not all(map(_is_value, values)) or not 0 < len(values) == len(set(values)):
        raise VersioningError(f"{key}: expected different whole numbers or names, or named blocks, got {values!r}")
    return values


def _is_value(value: Any) -> bool:
    return _NAME.fullmatch(value) is not None if isinstance(value, str) else type(value) is int and value >= 0
