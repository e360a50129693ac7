"""Cheap edits of the weights in place of reinforcement learning, each beside its controls."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.recovery.score_recoveries import score_recoveries


def create_pipeline() -> Pipeline:
    """Wire the recovery pipeline."""
    return Pipeline(
        [
            Node(
                score_recoveries,
                inputs=[
                    "base_model",
                    "sft_checkpoints",
                    "selected_checkpoints@seed",
                    "eval_hands",
                    "params:game.prompt",
                    "params:scoring",
                    "params:recovery",
                ],
                outputs=[
                    "recovery_variants@seed",
                    "recovery_scores@seed",
                    "recovery_hand_scores@seed",
                    "recovery_timings",
                ],
                name="score_recoveries",
                namespace="recovery",
            )
        ]
    )
