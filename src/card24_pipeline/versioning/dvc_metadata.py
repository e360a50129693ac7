"""What ``metadata.dvc`` of a catalog entry may say: tracked or not, metrics, a plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from card24_pipeline.versioning.errors import VersioningError

KEYS = ("track", "metrics", "plots")
PLOT_KEYS = ("x", "y", "x_label", "y_label", "title", "template")
METRICS_SUFFIXES = frozenset({".json", ".yaml", ".yml", ".toml"})
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg"})
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".json", ".yaml", ".yml"})


@dataclass(frozen=True)
class DvcMetadata:
    """What a catalog entry tells DVC of its file.

    Attributes:
        track: False keeps it out of every stage.
        metrics: Whether ``dvc metrics`` shows it.
        plot: How ``dvc plots`` shows it, by DVC's own keys; empty for an image, None for no plot.
    """

    track: bool = True
    metrics: bool = False
    plot: Mapping[str, Any] | None = None


def read_dvc_metadata(name: str, path: str, config: Mapping[str, Any]) -> DvcMetadata:
    """Read and check ``metadata.dvc`` of one catalog entry.

    Args:
        name: Name of the dataset, for messages.
        path: Where its file lies.
        config: Its catalog entry.

    Raises:
        VersioningError: On an unknown key, a value of the wrong kind, or metrics or a plot of a file that DVC
            cannot show so, naming dataset and key.
    """
    where = f"dataset '{name}': metadata.dvc"
    options = (config.get("metadata") or {}).get("dvc")
    options = {} if options is None else options
    if not isinstance(options, Mapping) or set(options) - set(KEYS):
        raise VersioningError(f"{where}: expected a mapping with keys among {', '.join(KEYS)}, got {options!r}")
    track, metrics = (options.get(key, default) for key, default in (("track", True), ("metrics", False)))
    for key, value in (("track", track), ("metrics", metrics)):
        if not isinstance(value, bool):
            raise VersioningError(f"{where}.{key}: expected true or false, got {value!r}")
    if metrics:
        _check_suffix(f"{where}.metrics", path, METRICS_SUFFIXES)
    plot = _read_plot(f"{where}.plots", path, options.get("plots", False))
    if not track and (metrics or plot is not None):
        key = "metrics" if metrics else "plots"
        raise VersioningError(f"{where}.{key}: a file with `track: false` is no output of a stage, so none to show")
    return DvcMetadata(track, metrics, plot)


def _read_plot(where: str, path: str, value: Any) -> Mapping[str, Any] | None:
    if value is False:
        return None
    if value is True:
        _check_suffix(where, path, IMAGE_SUFFIXES)
        return {}
    if not isinstance(value, Mapping):
        raise VersioningError(f"{where}: expected true (an image) or a mapping with x and y (a table), got {value!r}")
    _check_suffix(where, path, TABLE_SUFFIXES)
    for key, setting in value.items():
        if key not in PLOT_KEYS:
            raise VersioningError(f"{where}.{key}: unknown key, expected one of {', '.join(PLOT_KEYS)}")
        several = key == "y" and isinstance(setting, list) and bool(setting)
        if not all(isinstance(item, str) and item for item in (setting if several else [setting])):
            expected = "a column or a list of columns" if key == "y" else "text"
            raise VersioningError(f"{where}.{key}: expected {expected}, got {setting!r}")
    for key in ("x", "y"):
        if key not in value:
            raise VersioningError(f"{where}.{key}: missing, expected the column on that axis")
    return {key: value[key] for key in PLOT_KEYS if key in value}


def _check_suffix(where: str, path: str, suffixes: frozenset[str]) -> None:
    if PurePosixPath(path).suffix not in suffixes:
        raise VersioningError(f"{where}: expected a file that ends in {', '.join(sorted(suffixes))}, got {path}")
