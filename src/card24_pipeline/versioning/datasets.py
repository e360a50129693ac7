"""What a dataset of the catalog is to DVC: a path, shared or per seed, tracked or not."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from card24_pipeline.versioning.dvc_metadata import DvcMetadata, read_dvc_metadata
from card24_pipeline.versioning.errors import VersioningError

SEED_ITEM = "${item.seed}"
SEED_FIELD = "{seed}"
# Two seeds that no study uses: a path that differs between them is one per seed.
SENTINEL_SEEDS = (900000017, 900000029)
# What Kedro makes of a dataset that the catalog does not know.
_IN_MEMORY = {"{default}": {"type": "kedro.io.MemoryDataset"}}


@dataclass(frozen=True)
class Dataset:
    """One dataset, as a stage sees it.

    Attributes:
        name: Name in the catalog.
        path: Path relative to the project; None for a dataset in memory. The seed, if the path has one, is
            ``${item.seed}`` (per seed) or ``{seed}`` (brings seeds together).
        dvc: What its catalog entry tells DVC.
        types: Classes named by its catalog entry.
    """

    name: str
    path: str | None
    dvc: DvcMetadata = field(default_factory=DvcMetadata)
    types: tuple[str, ...] = ()

    @property
    def tracked(self) -> bool:
        """Whether it is a dependency and an output of stages."""
        return self.dvc.track

    @property
    def in_memory(self) -> bool:
        """Whether it vanishes with the run."""
        return self.path is None

    @property
    def per_seed(self) -> bool:
        """Whether each seed has its own."""
        return self.path is not None and SEED_ITEM in self.path

    @property
    def brings_seeds_together(self) -> bool:
        """Whether it reads the files of several seeds."""
        return self.path is not None and SEED_FIELD in self.path


class DatasetResolver:
    """Describes datasets from the catalog of one scale, resolved for two different seeds."""

    def __init__(self, first: Mapping[str, Any], second: Mapping[str, Any], project: Path) -> None:
        """Take the two catalogs.

        Args:
            first: Catalog configuration for the first of ``SENTINEL_SEEDS``.
            second: The same for the second.
            project: Root of the project.
        """
        from kedro.io import CatalogConfigResolver

        self._resolvers = [
            CatalogConfigResolver(dict(catalog), default_runtime_patterns=_IN_MEMORY) for catalog in (first, second)
        ]
        self._project = project

    def describe(self, name: str) -> Dataset:
        """Describe one dataset.

        Raises:
            VersioningError: When its entry has no path, is versioned by Kedro, uses the seed otherwise than
                as a part of its path, or has a wrong ``metadata.dvc``.
        """
        config, other = (resolver.resolve_pattern(name) for resolver in self._resolvers)
        types = tuple(_find_types(config))
        if types[0].rpartition(".")[2] in ("MemoryDataset", "SharedMemoryDataset"):
            return Dataset(name, None)
        if config.get("versioned"):
            raise VersioningError(f"dataset '{name}': `versioned: true` and DVC exclude each other: drop the former")
        path = self._mark_seed(name, *(self._get_path(name, entry) for entry in (config, other)))
        return Dataset(name, path, read_dvc_metadata(name, path, config), types)

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
    def _mark_seed(name: str, first: str, second: str) -> str:
        if first == second:
            return first
        marked = first.replace(str(SENTINEL_SEEDS[0]), SEED_ITEM)
        if marked != second.replace(str(SENTINEL_SEEDS[1]), SEED_ITEM):
            raise VersioningError(f"dataset '{name}': its path depends on the seed otherwise than by containing it")
        return marked


def _find_types(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        if isinstance(config.get("type"), str):
            yield config["type"]
        for key, value in config.items():
            if key == "dataset" and isinstance(value, str):
                yield value
            elif key != "metadata":
                yield from _find_types(value)
