"""The graph as kedro viz shows it best: one dataset for each file, with a preview, and a description of each node.

Kedro viz shows no preview of a dataset that goes by several names, such as ``sft_scores@one`` and
``sft_scores@all``. With the variable ``CARD24_VIEW`` set, as ``make viz`` does, the pipelines name it once and
the catalog knows it by that name and can show its tables. Such pipelines are for looking at, not for running.
"""

from __future__ import annotations

import inspect
import math
import os
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from kedro.io import CatalogProtocol
    from kedro.pipeline import Node, Pipeline
    from kedro.pipeline.preview_contract import TextPreview
    from kedro_datasets._typing import TablePreview

    from card24_pipeline.catalog.table import TableDataset

VIEW_VARIABLE = "CARD24_VIEW"
TWIN_MARK = "@"
# The name by which a node of a merged pipeline writes each dataset; a catalog does not list what its patterns make.
_written_twins: dict[str, str] = {}


def is_for_viewing() -> bool:
    """Tell whether this process shows the graph and runs nothing."""
    return bool(os.environ.get(VIEW_VARIABLE))


def merge_twins(pipeline: Pipeline) -> Pipeline:
    """Return the same graph with datasets named once, without what follows ``@``, and every node described.

    A node's preview is the first paragraph of its function's docstring.
    """
    from kedro.pipeline import Pipeline
    from kedro.utils import KedroExperimentalWarning

    with warnings.catch_warnings():
        # Kedro calls previews of nodes experimental, once in a process.
        warnings.simplefilter("ignore", KedroExperimentalWarning)
        return Pipeline([_rebuild_node(node) for node in pipeline.nodes])


def prepare_catalog(catalog: CatalogProtocol) -> None:
    """Let a catalog show its tables, and know by its plain name what a node of a merged pipeline writes."""
    from card24_pipeline.catalog.table import TableDataset

    # Not in the class itself, whose module is a code dependency of every stage.
    TableDataset.preview = preview_table
    for name, twin in _written_twins.items():
        catalog[name] = catalog.get(twin)


def preview_table(dataset: TableDataset, nrows: int = 10) -> TablePreview:
    """Return the first rows of a table for kedro viz, which goes by the name of the return type."""
    import pyarrow.parquet as pq
    from kedro_datasets._typing import TablePreview

    with pq.ParquetFile(dataset.filepath) as file:
        batch = next(file.iter_batches(batch_size=nrows), None)
    rows = [] if batch is None else [list(row.values()) for row in batch.to_pylist()]
    shown = [[None if isinstance(value, float) and math.isnan(value) else value for value in row] for row in rows]
    return TablePreview({"index": list(range(len(shown))), "columns": list(dataset.columns), "data": shown})


def _rebuild_node(node: Node) -> Node:
    _written_twins.update({_drop_twin(name): name for name in node.outputs if TWIN_MARK in name})
    # Kedro's own way to rename what a node reads and writes; its public properties tell no keywords.
    return node._copy(
        inputs=_drop_twins(node._inputs),
        outputs=_drop_twins(node._outputs),
        preview_fn=partial(_describe_function, node.func),
    )


def _describe_function(function: Callable[..., Any]) -> TextPreview:
    from kedro.pipeline.preview_contract import TextPreview

    first_paragraph = (inspect.getdoc(function) or "").partition("\n\n")[0]
    return TextPreview(" ".join(first_paragraph.split()))


def _drop_twins(names: str | list[str] | dict[str, str] | None) -> str | list[str] | dict[str, str] | None:
    if isinstance(names, dict):
        return {key: _drop_twin(name) for key, name in names.items()}
    if isinstance(names, list):
        return [_drop_twin(name) for name in names]
    return names and _drop_twin(names)


def _drop_twin(name: str) -> str:
    return name.partition(TWIN_MARK)[0]
