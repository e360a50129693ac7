"""Fine-tuning, its scores and the checkpoints that later stages start from."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.sft.score_sft import score_sft
from card24_pipeline.pipelines.sft.select_checkpoints import select_checkpoints
from card24_pipeline.pipelines.sft.train_sft import train_sft

ARM = ["params:sft", "params:sft_arms", "params:sft_arm"]
SCORED_ON = ["base_model", "eval_hands", "sft_examples", "params:game.prompt", "params:scoring", "params:device"]


def create_pipeline() -> Pipeline:
    """Wire the fine-tuning pipeline."""
    return Pipeline(
        [
            Node(
                train_sft,
                inputs=["base_model", "sft_examples", *ARM, "params:seed", "params:device", "sft_progress"],
                outputs=["sft_checkpoints", "sft_history@one", "sft_timings"],
                name="train_sft",
                namespace="sft",
            ),
            Node(
                score_sft,
                inputs=["sft_checkpoints", *SCORED_ON],
                outputs=["sft_scores@one", "sft_hand_scores@one", "sft_scoring_timings"],
                name="score_sft",
                namespace="sft",
            ),
            Node(
                select_checkpoints,
                inputs=["sft_scores@one", "params:selection"],
                outputs="selected_checkpoints@one",
                name="select_checkpoints",
                namespace="sft",
            ),
        ]
    )
