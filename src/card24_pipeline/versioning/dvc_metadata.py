"""What ``metadata.dvc`` of a catalog entry may say: tracked or not, metrics, a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import Field

from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.validation import Settings, validate_settings

METRICS_SUFFIXES = frozenset({".json", ".yaml", ".yml", ".toml"})
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg"})
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".json", ".yaml", ".yml"})


class Plot(Settings):
    """How ``dvc plots`` draws a table, by DVC's own keys."""

    x: str
    y: str | Annotated[list[str], Field(min_length=1)]
    x_label: str | None = None
    y_label: str | None = None
    title: str | None = None
    template: str | None = None


class DvcMetadata(Settings):
    """What a catalog entry tells DVC of its file.

    Attributes:
        track: False keeps it out of every stage.
        metrics: Whether ``dvc metrics`` shows it.
        plots: How ``dvc plots`` shows a table; True for an image.
    """

    track: bool = True
    metrics: bool = False
    plots: bool | Plot = False

    def describe_plot(self) -> dict[str, Any]:
        """Return DVC's settings of a table's plot; an image has none."""
        return self.plots.model_dump(exclude_none=True) if isinstance(self.plots, Plot) else {}


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
