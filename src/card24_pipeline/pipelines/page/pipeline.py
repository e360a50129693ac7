"""What people look at, out of what was found."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.findings.reading import STUDY_INPUTS
from card24_pipeline.page.sections import FIGURE_KEYS
from card24_pipeline.pipelines.page.show_study import SHOWN, show_study
from card24_pipeline.pipelines.page.write_reports import write_reports

FINDINGS = ["models@table", "estimates@table", "rl_runs@table"]
SHOWN_PARAMETERS = (
    "game", "base_model", "sft_arms", "scoring", "selection", "rl", "rl_arms", "spectra", "edit_arms", "findings",
)  # fmt: skip
REPORTS = (
    "report",
    "report_rl",
    "report_spectra",
    "report_edits",
    "claims_table",
    "finding",
    "model_card",
    "data_card",
)


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
                    **{f"{SHOWN}{name}": f"params:{name}" for name in SHOWN_PARAMETERS},
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
                    "pretraining_examples",
                    "sft_examples",
                    "rl_hands",
                    "params:base_model",
                    "params:game.rules",
                    "params:findings",
                    "claims@file",
                ],
                outputs=[f"{name}@text" for name in REPORTS],
                name="write_reports",
                namespace="page",
            ),
        ]
    )
