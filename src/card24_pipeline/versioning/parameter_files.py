"""Parameter keys, each in the file where it takes effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.scales import Scale, read_yaml

_ABSENT = object()


@dataclass(frozen=True)
class ParameterFiles:
    """``params.yaml`` and at most one overlay, merged as Kedro's soft merge does.

    Mappings merge key by key; anything else, lists included, is replaced whole.

    Attributes:
        files: Repo-relative path and content of each file; later ones win.
    """

    files: tuple[tuple[str, Mapping[str, Any]], ...]

    @classmethod
    def read(cls, project: Path, scale: Scale) -> ParameterFiles:
        """Read the parameter files of a scale; a missing overlay is an empty one."""
        return cls(tuple((name, read_yaml(project / name)) for name in scale.parameter_files))

    def get(self, key: str) -> Any:
        """Return the effective value of a dotted key; None when it is absent or null."""
        value: Any = _ABSENT
        for _, content in self.files:
            value = _merge(value, _dig(content, key))
        return None if value is _ABSENT else value

    def locate(self, key: str) -> list[tuple[str, str]]:
        """Find where a dotted key takes effect.

        Args:
            key: Dotted path of a value or a subtree.

        Returns:
            ``(file, key)`` pairs that together hold the value: one, unless an overlay splits the subtree.

        Raises:
            VersioningError: When no file has the key, or its value refers to something else by ``${…}``.
        """
        found = [(name, _dig(content, key)) for name, content in self.files]
        present = [(name, value) for name, value in found if value is not _ABSENT]
        if not present:
            raise VersioningError(self._describe_unknown(key))
        for name, value in present:
            if _has_interpolation(value):
                raise VersioningError(
                    f"{name}: {key}: refers elsewhere by '${{…}}', which DVC does not follow: write it out"
                )
        return _split(key, present)

    def _describe_unknown(self, key: str) -> str:
        names = " or ".join(name for name, _ in self.files)
        known = list(_list_keys(self.files[0][1]))
        close = get_close_matches(key, known, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        return f"params:{key}: no such key in {names}{hint}"


def _dig(content: Mapping[str, Any], key: str) -> Any:
    value: Any = content
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _ABSENT
        value = value[part]
    return value


def _merge(below: Any, above: Any) -> Any:
    if above is _ABSENT:
        return below
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        return {key: _merge(below.get(key, _ABSENT), above.get(key, _ABSENT)) for key in {**below, **above}}
    return above


def _split(key: str, present: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    *below, (top_name, top) = present
    if not below:
        return [(top_name, key)]
    under_name, under = below[-1]
    if not (isinstance(under, Mapping) and isinstance(top, Mapping)):
        return [(top_name, key)]
    pairs: list[tuple[str, str]] = []
    for child in sorted({**under, **top}, key=str):
        both = [(under_name, under.get(child, _ABSENT)), (top_name, top.get(child, _ABSENT))]
        pairs += _split(f"{key}.{child}", [pair for pair in both if pair[1] is not _ABSENT])
    owners = {name for name, _ in pairs}
    return pairs if len(owners) > 1 else [(owners.pop() if owners else top_name, key)]


def _has_interpolation(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_interpolation(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_interpolation(item) for item in value)
    return isinstance(value, str) and "${" in value


def _list_keys(content: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for name, value in content.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _list_keys(value, f"{prefix}{name}.")
