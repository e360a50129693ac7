"""A tool: recover any checkpoint from any donor of the same model. It is no part of the study."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.tools.commands import recover


def create_pipeline() -> Pipeline:
    """Wire the tool."""
    return Pipeline([Node(recover, inputs="parameters", outputs="checkpoint_recovery_report", name="recover")])
