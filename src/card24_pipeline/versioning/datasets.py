"""What a dataset of the catalog is to DVC: a path, the fan-out keys in it, tracked or not."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from card24_pipeline.versioning.dvc_metadata import DvcMetadata, read_dvc_metadata
from card24_pipeline.versioning.errors import VersioningError

# What Kedro makes of a dataset that the catalog does not know.
_IN_MEMORY = {"{default}": {"type": "kedro.io.MemoryDataset"}}
_FIRST_SENTINEL = 900000017


def choose_sentinels(keys: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Choose two values for each key that no study uses: a path that differs between them depends on the key."""
    first = {key: _FIRST_SENTINEL + 2 * number for number, key in enumerate(keys)}
    return first, {key: value + 1 for key, value in first.items()}


@dataclass(frozen=True)
class Dataset:
    """One dataset, as a stage sees it.

    Attributes:
        name: Name in the catalog.
        path: Path relative to the project, ``<key>`` where the run's value of a key stands and ``{key}`` where every
            value is read; None for a dataset in memory.
        keys: Fan-out keys whose every value has its own.
        gathers: Fan-out keys whose values it brings together.
        dvc: What its catalog entry tells DVC.
        types: Classes named by its catalog entry.
    """

    name: str
    path: str | None
    keys: frozenset[str] = frozenset()
    gathers: frozenset[str] = frozenset()
    dvc: DvcMetadata = field(default_factory=DvcMetadata)
    types: tuple[str, ...] = ()

    @property
    def in_memory(self) -> bool:
        """Whether it vanishes with the run."""
        return self.path is None

    @property
    def tracked(self) -> bool:
        """Whether it is a dependency and an output of stages."""
        return self.dvc.track and not self.in_memory

    def fill_path(self, run: Mapping[str, Any]) -> str:
        """Return the path with values in place of keys."""
        path = str(self.path)
        for key in self.keys | self.gathers:
            path = path.replace(f"<{key}>", str(run[key])).replace(f"{{{key}}}", str(run[key]))
        return path


class DatasetResolver:
    """Describes datasets from the catalog of one scale, resolved for two different values of every key."""

    def __init__(self, first: Mapping[str, Any], second: Mapping[str, Any], keys: Sequence[str], project: Path) -> None:
        """Take the two catalogs.

        Args:
            first: Catalog configuration for the first of the values that :func:`choose_sentinels` gives.
            second: The same for the second.
            keys: Names of the fan-out keys.
            project: Root of the project.
        """
        from kedro.io import CatalogConfigResolver

        self._resolvers = [
            CatalogConfigResolver(dict(catalog), default_runtime_patterns=_IN_MEMORY) for catalog in (first, second)
        ]
        self._keys = keys
        self._project = project

    def describe(self, name: str) -> Dataset:
        """Describe one dataset.

        Raises:
            VersioningError: When its entry has no path, is versioned by Kedro, uses a key otherwise than as a part of
                its path, or has a wrong ``metadata.dvc``.
        """
        configs = [resolver.resolve_pattern(name) for resolver in self._resolvers]
        config = configs[0]
        types = tuple(_find_types(config))
        if types[0].rpartition(".")[2] in ("MemoryDataset", "SharedMemoryDataset"):
            return Dataset(name, None)
        if config.get("versioned"):
            raise VersioningError(f"dataset '{name}': `versioned: true` and DVC exclude each other: drop the former")
        path, other = (
            self._mark_keys(self._get_path(name, entry), sentinels)
            for entry, sentinels in zip(configs, choose_sentinels(self._keys), strict=True)
        )
        if path != other:
            raise VersioningError(f"dataset '{name}': its path depends on a key otherwise than by containing it")
        keys = frozenset(key for key in self._keys if f"<{key}>" in path)
        gathers = frozenset(key for key in self._keys if f"{{{key}}}" in path)
        return Dataset(name, path, keys, gathers, read_dvc_metadata(name, path, config), types)

    def _get_path(self, name: str, config: Mapping[str, Any]) -> str:
        raw = config.get("filepath", config.get("path"))
        if not isinstance(raw, str):
            raise VersioningError(
                f"dataset '{name}' ({config.get('type')}): neither `filepath` nor `path` in the catalog"
            )
        if "://" in raw:
            return raw
        if Path(raw).is_absolute() and Path(raw).is_relative_to(self._project):
            raw = Path(raw).relative_to(self._project).as_posix()
        return posixpath.normpath(raw)

    @staticmethod
    def _mark_keys(path: str, sentinels: Mapping[str, int]) -> str:
        for key, value in sentinels.items():
            path = path.replace(str(value), f"<{key}>")
        return path


def _find_types(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        if isinstance(config.get("type"), str):
            yield config["type"]
        for key, value in config.items():
            if key == "dataset" and isinstance(value, str):
                yield value
            elif key != "metadata":
                yield from _find_types(value)
