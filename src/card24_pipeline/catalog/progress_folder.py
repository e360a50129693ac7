"""Private progress of an interrupted stage; never an input or output that DVC knows."""

from __future__ import annotations

from card24_pipeline.catalog.read_only import ReadOnlyDataset


class ProgressFolderDataset(ReadOnlyDataset):
    """Hands a node the path of a folder of its own, where it keeps what a resumed run needs; it need not exist.

    ``metadata: {dvc: {track: false}}`` keeps the folder out of ``dvc.yaml``.
    """

    remedy = "it is no output, list it among the node's inputs"
