"""What people look at, out of what was found."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.findings.reading import FINDINGS, STUDY_INPUTS, STUDY_PARAMETERS
from card24_pipeline.page.reports import REPORTS
from card24_pipeline.page.sections import FIGURE_KEYS
from card24_pipeline.pipelines.page.show_study import SHOWN, show_study
from card24_pipeline.pipelines.page.write_reports import write_reports


def create_pipeline() -> Pipeline:
    """Wire the page pipeline."""
    return Pipeline(
        [
            Node(
                show_study,
                inputs={
                    "claims": "claims@json",
                    "claims_file": "claims@file",
                    **{name.partition("@")[0].removeprefix("rl_"): name for name in FINDINGS},
                    **STUDY_INPUTS,
                    "rules": "params:game.rules",
                    "params": "params:findings",
                    **{f"{SHOWN}{name}": f"params:{name}" for name in STUDY_PARAMETERS},
                },
                outputs=["study_page@html", *(f"{key}_figure" for key in FIGURE_KEYS)],
                name="show_study",
                namespace="page",
            ),
            Node(
                write_reports,
                inputs=[
                    "claims@json",
                    *FINDINGS,
                    "multisets",
                    "eval_hands",
                    "sft_examples",
                    "rl_hands",
                    "params:base_model",
                    "params:game.rules",
                    "params:findings",
                    "params:selection.split",
                    "claims@file",
                ],
                outputs=[f"{name}@text" for name in REPORTS],
                name="write_reports",
                namespace="page",
            ),
        ]
    )
