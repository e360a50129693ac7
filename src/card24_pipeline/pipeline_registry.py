"""Registers every folder of ``pipelines/`` that holds a ``pipeline.py``; ``__default__`` is the study, their sum but
for the tools.

Kedro's own ``find_pipelines`` looks for ``create_pipeline`` in the package ``__init__``. Ours stay empty:
every ``__init__`` is a code dependency of each stage below it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.graph_view import is_for_viewing, merge_twins

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline


TOOLS = frozenset({"checkpoint_recovery", "checkpoint_spectra"})


def register_pipelines() -> dict[str, Pipeline]:
    """Import each pipeline and build it.

    Returns:
        Pipelines by folder name, and the sum of all but the tools as ``__default__``.
    """
    from kedro.pipeline import Pipeline

    package = f"{__package__}.pipelines"
    folder = Path(__file__).parent / "pipelines"
    names = sorted(path.parent.name for path in folder.glob("*/pipeline.py"))
    pipelines: dict[str, Pipeline] = {
        name: import_module(f"{package}.{name}.pipeline").create_pipeline() for name in names
    }
    if is_for_viewing():
        pipelines = {name: merge_twins(pipeline) for name, pipeline in pipelines.items()}
    study = [pipeline for name, pipeline in pipelines.items() if name not in TOOLS]
    return {**pipelines, "__default__": sum(study, start=Pipeline([]))}
