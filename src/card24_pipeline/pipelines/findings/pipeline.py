"""Every estimate once, and verdicts on them."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.findings.reading import STUDY_INPUTS
from card24_pipeline.pipelines.findings.estimate_quantities import estimate_quantities
from card24_pipeline.pipelines.findings.judge_claims import judge_claims

FINDINGS = ["models@table", "estimates@table", "rl_runs@table"]
SETTINGS = ["params:seeds", "params:game.rules", "params:findings"]


def create_pipeline() -> Pipeline:
    """Wire the findings pipeline."""
    return Pipeline(
        [
            Node(
                estimate_quantities,
                inputs={**STUDY_INPUTS, "rules": "params:game.rules", "params": "params:findings"},
                outputs=[*FINDINGS, "accuracy_by_step@table", "edit_points@table"],
                name="estimate_quantities",
                namespace="findings",
            ),
            Node(
                judge_claims,
                inputs=["published_results", *FINDINGS, *SETTINGS],
                outputs=["claims@json", "study_metrics"],
                name="judge_claims",
                namespace="findings",
            ),
        ]
    )
