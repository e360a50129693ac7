"""Parameter keys, each in the file where it takes effect."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from card24_pipeline.versioning.files import read_yaml
from card24_pipeline.versioning.validation import VersioningError

if TYPE_CHECKING:
    from kedro.config import OmegaConfigLoader

REPLACE = "_replace_"  # true in a block: it takes the place of the block below instead of being laid over it


@dataclass(frozen=True)
class Entry:
    """What takes effect under a key: the last file that has it, and a value or, of a block, its entries by name."""

    file: str
    value: Any


class ParameterFiles:
    """Every parameter file of a scale: those of Kedro's base environment and those laid over them.

    Attributes:
        layers: Content of each file by its path, layer by layer.
    """

    def __init__(self, layers: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
        """Lay the layers over each other."""
        for layer in layers:
            _refuse_split_blocks(layer)
        self.layers = layers
        self._files = [file for layer in layers for file in layer]
        self._whole = Entry("", {})
        for layer in layers:
            for file, content in layer.items():
                self._whole = _lay(self._whole, file, content)

    @classmethod
    def read(cls, loader: OmegaConfigLoader, project: Path) -> ParameterFiles:
        """Read the files that a loader of Kedro's reads for its scale; an archive counts as one file.

        A link is called by the file that it leads to, relative to the root of the project.
        """
        base, over = loader.base_env, loader.env or loader.default_run_env
        layers = [
            {_name_file(path, project): read_yaml(path) for path in list_parameter_files(loader, env)}
            for env in dict.fromkeys((base, over))
        ]
        if not any(layers):
            return cls([{str(loader.conf_source): loader["parameters"]}])
        if len(layers) == 2 and loader.merge_strategy.get("parameters") != "soft":
            taken = {key for content in layers[1].values() for key in content}
            layers[0] = {
                file: {key: value for key, value in content.items() if key not in taken}
                for file, content in layers[0].items()
            }
        return cls(layers)

    def find_owners(self, key: str) -> list[str]:
        """List the files that together hold the value of a dotted key, in the order of their layers; none hold none."""
        found = self._find(key)
        owners = {file for file, _ in _split(key, found)} if found else ()
        return [file for file in self._files if file in owners]

    def locate(self, key: str) -> list[tuple[str, str]]:
        """Find where the value or subtree of a dotted key takes effect.

        Returns:
            ``(file, key)`` pairs that together hold the value: one, unless several files split the subtree.

        Raises:
            VersioningError: When no file has the key, or its value refers to something else by ``${…}``.
        """
        found = self._find(key)
        if found is None:
            close = get_close_matches(key, [name for name, _ in _walk(self._whole)], n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise VersioningError(f"params:{key}: no such key in {' or '.join(self._files)}{hint}")
        for _, entry in _walk(found, key):
            if not isinstance(entry.value, dict) and "${" in str(entry.value):
                raise VersioningError(
                    f"{entry.file}: {key}: refers elsewhere by '${{…}}', which DVC does not follow: write it out"
                )
        return _split(key, found)

    def _find(self, key: str) -> Entry | None:
        found: Entry | None = self._whole
        for name in key.split("."):
            found = found.value.get(name) if found and isinstance(found.value, dict) else None
        return found


def _refuse_split_blocks(layer: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a block that replaces and that a second file of its layer has too: Kedro merges these two first."""
    for file, content in layer.items():
        for key, block in content.items():
            others = [other for other, held in layer.items() if other != file and key in held]
            if others and _holds(block, REPLACE):
                raise VersioningError(
                    f"{file}: {key}: '{REPLACE}' in a block that {others[0]} has too: put it in one file"
                )


def _holds(block: Any, key: str) -> bool:
    return isinstance(block, Mapping) and (key in block or any(_holds(part, key) for part in block.values()))


def list_parameter_files(loader: OmegaConfigLoader, env: str) -> list[Path]:
    """List the parameter files of one environment, by Kedro's own patterns."""
    folder = Path(loader.conf_source, env)
    found = {
        folder / name
        for pattern in loader.config_patterns["parameters"]
        for name in glob.glob(pattern, root_dir=folder, recursive=True)
    }
    return sorted(path for path in found if path.is_file() and path.suffix in (".yml", ".yaml", ".json"))


def _name_file(path: Path, project: Path) -> str:
    real = path.resolve()
    return real.relative_to(project.resolve()).as_posix() if real.is_relative_to(project.resolve()) else str(real)


def _lay(below: Entry | None, file: str, value: Any) -> Entry:
    if not isinstance(value, Mapping):
        return Entry(file, value)
    merges = below is not None and isinstance(below.value, dict) and value.get(REPLACE) is not True
    entries = dict(below.value) if below and merges else {}
    for name, item in value.items():
        if name != REPLACE:
            entries[name] = _lay(entries.get(name), file, item)
    return Entry(file, entries)


def _walk(entry: Entry, key: str = "") -> Iterator[tuple[str, Entry]]:
    """Yield everything from an entry downward with its key."""
    yield key, entry
    for name, item in entry.value.items() if isinstance(entry.value, dict) else ():
        yield from _walk(item, f"{key}.{name}" if key else str(name))


def _split(key: str, entry: Entry) -> list[tuple[str, str]]:
    if not isinstance(entry.value, dict):
        return [(entry.file, key)]
    names = sorted(entry.value, key=str)
    pairs = [pair for name in names for pair in _split(f"{key}.{name}", entry.value[name])]
    owners = {file for file, _ in pairs}
    return pairs if len(owners) > 1 else [(owners.pop() if owners else entry.file, key)]
