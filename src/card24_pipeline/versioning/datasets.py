"""What a dataset of the catalog is to DVC: a path, the fan-out keys in it, tracked or not, shown or not."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import Field

from card24_pipeline.versioning.validation import Settings, VersioningError, validate_settings

METRICS_SUFFIXES = frozenset({".json", ".yaml", ".yml", ".toml"})
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg"})
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".json", ".yaml", ".yml"})
# What Kedro makes of a dataset that the catalog does not know.
_IN_MEMORY = {"{default}": {"type": "kedro.io.MemoryDataset"}}


class Plot(Settings):
    """How ``dvc plots`` draws a table, by DVC's own keys."""

    x: str
    y: str | Annotated[list[str], Field(min_length=1)]
    x_label: str | None = None
    y_label: str | None = None
    title: str | None = None
    template: str | None = None


class DvcMetadata(Settings):
    """What ``metadata.dvc`` of a catalog entry tells DVC of its file.

    Attributes:
        track: False keeps it out of every stage.
        metrics: Whether ``dvc metrics`` shows it.
        plots: How ``dvc plots`` shows a table; True for an image.
        shareable: Whether a scale may keep one for every value of a key that its node takes: by a path without the
            key. The key is then ``none`` for that node, which must not need it.
    """

    track: bool = True
    shareable: bool = False
    metrics: bool = False
    plots: bool | Plot = False


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
    def tracked(self) -> bool:
        """Whether it is a dependency and an output of stages."""
        return self.dvc.track and self.path is not None

    def fill_path(self, run: Mapping[str, Any]) -> str:
        """Return the path with values in place of keys."""
        path = str(self.path)
        for key in self.keys | self.gathers:
            path = path.replace(f"<{key}>", str(run[key])).replace(f"{{{key}}}", str(run[key]))
        return path


def mark_keys(keys: Iterable[str]) -> dict[str, str]:
    """Return the runtime parameters that a catalog is to be resolved with for :func:`describe_datasets`."""
    return {key: f"<{key}>" for key in keys}


def describe_datasets(
    catalog: Mapping[str, Any], names: Iterable[str], keys: Iterable[str], project: Path
) -> dict[str, Dataset]:
    """Describe datasets by name, from a catalog that :func:`mark_keys` marked the fan-out keys in.

    Raises:
        VersioningError: When an entry has no path, is versioned by Kedro, or has a wrong ``metadata.dvc``.
    """
    from kedro.io import CatalogConfigResolver

    resolver = CatalogConfigResolver(dict(catalog), default_runtime_patterns=_IN_MEMORY)
    return {name: _describe(name, resolver.resolve_pattern(name), tuple(keys), project) for name in sorted(names)}


def _describe(name: str, config: Mapping[str, Any], keys: Iterable[str], project: Path) -> Dataset:
    types = tuple(_find_types(config))
    if types[0].rpartition(".")[2] in ("MemoryDataset", "SharedMemoryDataset"):
        return Dataset(name, None)
    if config.get("versioned"):
        raise VersioningError(f"dataset '{name}': `versioned: true` and DVC exclude each other: drop the former")
    path = config.get("filepath", config.get("path"))
    if not isinstance(path, str):
        raise VersioningError(f"dataset '{name}' ({config.get('type')}): neither `filepath` nor `path` in the catalog")
    if "://" not in path:
        path = posixpath.normpath(path.removeprefix(f"{project.as_posix()}/"))
    own = frozenset(key for key in keys if f"<{key}>" in path)
    gathers = frozenset(key for key in keys if f"{{{key}}}" in path)
    return Dataset(name, path, own, gathers, _read_metadata(name, path, config), types)


def _read_metadata(name: str, path: str, config: Mapping[str, Any]) -> DvcMetadata:
    where = f"dataset '{name}': metadata.dvc"
    dvc = validate_settings(DvcMetadata, (config.get("metadata") or {}).get("dvc") or {}, where)
    shown = {"metrics": METRICS_SUFFIXES} if dvc.metrics else {}
    if dvc.plots:
        shown["plots"] = TABLE_SUFFIXES if isinstance(dvc.plots, Plot) else IMAGE_SUFFIXES
    for key, suffixes in shown.items():
        if not dvc.track:
            raise VersioningError(f"{where}.{key}: a file with `track: false` is no output of a stage, so none to show")
        if PurePosixPath(path).suffix not in suffixes:
            expected = ", ".join(sorted(suffixes))
            raise VersioningError(f"{where}.{key}: expected a file that ends in {expected}, got {path}")
    return dvc


def _find_types(config: Any) -> Iterator[str]:
    if isinstance(config, Mapping):
        if isinstance(config.get("type"), str):
            yield config["type"]
        for key, value in config.items():
            if key == "dataset" and isinstance(value, str):
                yield value
            elif key != "metadata":
                yield from _find_types(value)
