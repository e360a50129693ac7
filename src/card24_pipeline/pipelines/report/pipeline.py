"""What was found, in files small enough for git."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.report.report_sft import report_sft


def create_pipeline() -> Pipeline:
    """Wire the report pipeline."""
    return Pipeline(
        [
            Node(
                report_sft,
                inputs=[
                    "base_model_history",
                    "base_scores",
                    "base_hand_scores",
                    "sft_scores@all_seeds",
                    "sft_hand_scores@all_seeds",
                    "selected_checkpoints@all_seeds",
                    "params:seeds",
                    "params:report",
                ],
                outputs=["sft_scores_table", "sft_curves", "sft_contrasts", "sft_figure", "study_report"],
                name="report_sft",
            ),
        ]
    )
