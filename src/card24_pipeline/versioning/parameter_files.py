"""Parameter keys, each in the file where it takes effect."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.files import read_yaml

if TYPE_CHECKING:
    from kedro.config import OmegaConfigLoader

REPLACE = "_replace_"  # true in a block: it takes the place of the block below instead of being laid over it


@dataclass(frozen=True)
class Part:
    """What one file says of a key; the parts of a higher layer are laid over those of a lower one."""

    file: str
    layer: int
    value: Any


class ParameterFiles:
    """Every parameter file of a scale: those of Kedro's base environment and those laid over them."""

    def __init__(self, layers: Sequence[Mapping[str, Mapping[str, Any]]]) -> None:
        """Take the content of each file by its path, layer by layer."""
        self.layers = layers
        self._parts = [Part(file, n, content) for n, layer in enumerate(layers) for file, content in layer.items()]

    @classmethod
    def read(cls, loader: OmegaConfigLoader, project: Path) -> ParameterFiles:
        """Read the files that a loader of Kedro's reads.

        Args:
            loader: The loader of a scale. What it reads from an archive counts as one file.
            project: Root of the project; a link is called by the file that it leads to.
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
        return [part.file for part in self._parts if part.file in owners]

    def locate(self, key: str) -> list[tuple[str, str]]:
        """Find where a dotted key takes effect.

        Args:
            key: Dotted path of a value or a subtree.

        Returns:
            ``(file, key)`` pairs that together hold the value: one, unless several files split the subtree.

        Raises:
            VersioningError: When no file has the key, or its value refers to something else by ``${…}``.
        """
        found = self._find(key)
        if not found:
            raise VersioningError(self._describe_unknown(key))
        for part in found:
            if _has_interpolation(part.value):
                raise VersioningError(
                    f"{part.file}: {key}: refers elsewhere by '${{…}}', which DVC does not follow: write it out"
                )
        return _split(key, found)

    def _find(self, key: str) -> list[Part]:
        parts = self._parts
        for name in key.split("."):
            parts = _descend(_see(parts), name)
        return _see(parts)

    def _describe_unknown(self, key: str) -> str:
        names = " or ".join(part.file for part in self._parts)
        close = get_close_matches(key, [name for part in self._parts for name in _list_keys(part.value)], n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        return f"params:{key}: no such key in {names}{hint}"


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


def _see(parts: Sequence[Part]) -> list[Part]:
    """Return the parts that are not hidden by others above them."""
    seen: list[Part] = []
    floor = 0
    for part in reversed(parts):
        if part.layer < floor or (seen and not isinstance(part.value, Mapping)):
            break
        seen.insert(0, part)
        if not isinstance(part.value, Mapping):
            break
        floor = part.layer if part.value.get(REPLACE) is True else floor
    return seen


def _descend(parts: Sequence[Part], name: str) -> list[Part]:
    return [
        Part(part.file, part.layer, part.value[name])
        for part in parts
        if isinstance(part.value, Mapping) and name in part.value
    ]


def _list_names(parts: Sequence[Part]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part.value if name != REPLACE))


def _split(key: str, seen: Sequence[Part]) -> list[tuple[str, str]]:
    if len(seen) == 1:
        return [(seen[0].file, key)]
    pairs: list[tuple[str, str]] = []
    for name in sorted(_list_names(seen), key=str):
        pairs += _split(f"{key}.{name}", _see(_descend(seen, name)))
    owners = {file for file, _ in pairs}
    return pairs if len(owners) > 1 else [(owners.pop() if owners else seen[-1].file, key)]


def _has_interpolation(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_interpolation, value.values()))
    if isinstance(value, list):
        return any(map(_has_interpolation, value))
    return isinstance(value, str) and "${" in value


def _list_keys(content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in content.items():
        yield f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _list_keys(value, f"{prefix}{name}.")
