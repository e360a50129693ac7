"""A file that another dataset writes, handed over as its path."""

from __future__ import annotations

from card24_pipeline.catalog.read_only import ReadOnlyDataset


class FilePathDataset(ReadOnlyDataset):
    """Hands a node the path of a file, for those that copy files or can do without some; its transcoded twin writes it.

    The file need not exist: the node says what its absence means.
    """

    remedy = "write it through its own dataset"
