"""What was found, in files small enough for git."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.report.judge_claims import judge_claims
from card24_pipeline.pipelines.report.render_study_page import render_study_page
from card24_pipeline.pipelines.report.report_recovery import report_recovery
from card24_pipeline.pipelines.report.report_rl import report_rl
from card24_pipeline.pipelines.report.report_sft import report_sft
from card24_pipeline.pipelines.report.report_spectra import report_spectra
from card24_pipeline.pipelines.report.write_cards import write_cards

SEED_TABLES = (
    "sft_hand_scores",
    "selected_checkpoints",
    "rl_hand_scores",
    "rl_history",
    "rl_anchored_hand_scores",
    "rl_anchored_history",
    "spectra",
    "spectra_by_index",
    "recovery_hand_scores",
)
SHOWN_PARAMETERS = ("game", "base_model", "sft", "scoring", "selection", "rl", "rl_arms", "spectra", "recovery")


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
                outputs=[
                    "sft_scores_table@table",
                    "sft_curves@table",
                    "accuracy_by_step@table",
                    "sft_contrasts@table",
                    "sft_figure",
                    "study_report@text",
                ],
                name="report_sft",
                namespace="report",
            ),
            Node(
                report_rl,
                inputs=[
                    "sft_hand_scores@all_seeds",
                    "selected_checkpoints@all_seeds",
                    "rl_scores@all_seeds",
                    "rl_hand_scores@all_seeds",
                    "rl_history@all_seeds",
                    "rl_anchored_scores@all_seeds",
                    "rl_anchored_hand_scores@all_seeds",
                    "rl_anchored_history@all_seeds",
                    "params:seeds",
                    "params:rl_arms.anchored.kl.anchor",
                    "params:report",
                ],
                outputs=[
                    "rl_contrasts@table",
                    "rl_runs@table",
                    "rl_figure",
                    "rl_training_figure",
                    "rl_report@text",
                ],
                name="report_rl",
                namespace="report",
            ),
            Node(
                report_spectra,
                inputs=[
                    "spectra@all_seeds",
                    "spectra_by_index@all_seeds",
                    "rl_return@all_seeds",
                    "selected_checkpoints@all_seeds",
                    "params:seeds",
                    "params:report",
                ],
                outputs=[
                    "spectra_summary@table",
                    "spectra_contrasts@table",
                    "rl_return_summary@table",
                    "spectra_rotation_figure",
                    "spectra_sigma_figure",
                    "spectra_depth_figure",
                    "spectra_report@text",
                ],
                name="report_spectra",
                namespace="report",
            ),
            Node(
                report_recovery,
                inputs=[
                    "base_hand_scores",
                    "sft_hand_scores@all_seeds",
                    "selected_checkpoints@all_seeds",
                    "rl_hand_scores@all_seeds",
                    "rl_history@all_seeds",
                    "rl_anchored_hand_scores@all_seeds",
                    "rl_anchored_history@all_seeds",
                    "recovery_variants@all_seeds",
                    "recovery_hand_scores@all_seeds",
                    "params:seeds",
                    "params:report",
                ],
                outputs=[
                    "recovery_points@table",
                    "recovery_chosen@table",
                    "recovery_by_k_figure",
                    "recovery_controls_figure",
                    "recovery_frontier_figure",
                    "recovery_cost_figure",
                    "recovery_report@text",
                ],
                name="report_recovery",
                namespace="report",
            ),
            Node(
                judge_claims,
                inputs=[
                    "published_results",
                    "base_hand_scores",
                    "sft_hand_scores@all_seeds",
                    "selected_checkpoints@all_seeds",
                    "rl_hand_scores@all_seeds",
                    "rl_anchored_hand_scores@all_seeds",
                    "rl_runs@table",
                    "spectra@all_seeds",
                    "spectra_by_index@all_seeds",
                    "recovery_hand_scores@all_seeds",
                    "recovery_points@table",
                    "params:seeds",
                    "params:report",
                ],
                outputs=["claims@json", "study_metrics", "claims_table@text"],
                name="judge_claims",
                namespace="report",
            ),
            Node(
                write_cards,
                inputs=[
                    "multisets",
                    "eval_hands",
                    "pretraining_examples",
                    "sft_examples",
                    "rl_hands",
                    "recovery_points@table",
                    "params:base_model",
                    "params:seeds",
                ],
                outputs=["model_card@text", "data_card@text"],
                name="write_cards",
                namespace="report",
            ),
            Node(
                render_study_page,
                inputs={
                    "page_template": "page_template",
                    "claims": "claims@file",
                    "sft_curves": "sft_curves@file",
                    "recovery_points": "recovery_points@file",
                    "recovery_chosen": "recovery_chosen@file",
                    "base_hand_scores": "base_hand_scores",
                    **{name: f"{name}@all_seeds" for name in SEED_TABLES},
                    "seeds": "params:seeds",
                    "report": "params:report",
                    **{f"shown_{name}": f"params:{name}" for name in SHOWN_PARAMETERS},
                },
                outputs="study_page@html",
                name="render_study_page",
                namespace="report",
            ),
        ]
    )
