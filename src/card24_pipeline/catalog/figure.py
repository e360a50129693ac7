"""Figures that one node draws and another copies."""

from __future__ import annotations

from pathlib import Path

from kedro_datasets.matplotlib import MatplotlibDataset


class FigureDataset(MatplotlibDataset):
    """A Matplotlib figure, saved as an image; whoever loads it gets the image's path, whether or not it is there."""

    def load(self) -> Path:
        """Return the path of the image."""
        return Path(self._filepath)
