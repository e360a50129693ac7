"""A tool: how singular values and vectors moved between any two checkpoints. It is no part of the study."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.tools.commands import measure


def create_pipeline() -> Pipeline:
    """Wire the tool."""
    return Pipeline([Node(measure, inputs="parameters", outputs="checkpoint_spectra_report", name="measure")])
