"""Cheap edits of the weights in place of reinforcement learning, each beside its controls."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.recovery.score_edits import score_edits


def create_pipeline() -> Pipeline:
    """Wire the recovery pipeline."""
    return Pipeline(
        [
            Node(
                score_edits,
                inputs=[
                    "base_model",
                    "sft_checkpoints",
                    "selected_checkpoints@one",
                    "eval_hands",
                    "params:game.prompt",
                    "params:scoring",
                    "params:device",
                    "params:edit_arms",
                    "params:edit_arm",
                ],
                outputs=["edit_variants@one", "edit_scores@one", "edit_hand_scores@one", "edit_timings"],
                name="score_edits",
                namespace="recovery",
            )
        ]
    )
