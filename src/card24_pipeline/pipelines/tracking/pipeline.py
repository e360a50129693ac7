"""The study in MLflow."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.tracking.publish_study import publish_study

# By the name under which the node takes it.
TABLES = {
    "base_scores": "base_scores",
    "sft_scores": "sft_scores@all_seeds",
    "sft_history": "sft_history@all_seeds",
    "selected_checkpoints": "selected_checkpoints@all_seeds",
    "rl_scores": "rl_scores@all_seeds",
    "rl_history": "rl_history@all_seeds",
    "rl_anchored_scores": "rl_anchored_scores@all_seeds",
    "rl_anchored_history": "rl_anchored_history@all_seeds",
    "spectra_bands": "spectra@all_seeds",
    "recovery_variants": "recovery_variants@all_seeds",
    "recovery_scores": "recovery_scores@all_seeds",
}
SETTINGS = ("game", "base_model", "sft", "scoring", "selection", "rl", "rl_arms", "spectra", "recovery", "report")
FILES = (
    "study_report",
    "rl_report",
    "spectra_report",
    "recovery_report",
    "study_page",
    "claims",
    "sft_scores_table",
    "sft_curves",
    "accuracy_by_step",
    "sft_contrasts",
    "rl_contrasts",
    "rl_runs",
    "spectra_summary",
    "spectra_contrasts",
    "rl_return_summary",
    "recovery_points",
    "recovery_chosen",
    "claims_table",
    "model_card",
    "data_card",
)
FIGURES = (
    "sft_figure",
    "rl_figure",
    "rl_training_figure",
    "spectra_rotation_figure",
    "spectra_sigma_figure",
    "spectra_depth_figure",
    "recovery_by_k_figure",
    "recovery_controls_figure",
    "recovery_frontier_figure",
    "recovery_cost_figure",
)


def create_pipeline() -> Pipeline:
    """Wire the tracking pipeline."""
    return Pipeline(
        [
            Node(
                publish_study,
                inputs={
                    "store": "tracking_store",
                    **TABLES,
                    "seeds": "params:seeds",
                    **{name: f"params:{name}" for name in SETTINGS},
                    **{f"{name}_file": f"{name}@file" for name in FILES},
                    **{name: name for name in FIGURES},
                },
                outputs="published",
                name="publish_study",
                namespace="tracking",
            )
        ]
    )
