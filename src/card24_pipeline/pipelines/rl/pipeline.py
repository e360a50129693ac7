"""Reinforcement learning from selected fine-tuning checkpoints, and its scores."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.rl.score_rl import score_rl
from card24_pipeline.pipelines.rl.train_rl import train_rl

STARTS = ["sft_checkpoints", "base_model", "selected_checkpoints@one"]
ARM = ["params:rl", "params:rl_arms", "params:rl_arm"]
RUN = ["params:seed", "params:device", "rl_progress"]
SCORED_ON = ["base_model", "eval_hands", "sft_examples", "params:game.prompt", "params:scoring", "params:device"]


def create_pipeline() -> Pipeline:
    """Wire the reinforcement-learning pipeline."""
    return Pipeline(
        [
            Node(
                train_rl,
                inputs=[*STARTS, "rl_hands", "params:game.prompt", *ARM, *RUN],
                outputs=["rl_checkpoints", "rl_history@one", "rl_timings"],
                name="train_rl",
                namespace="rl",
            ),
            Node(
                score_rl,
                inputs=["rl_checkpoints", *SCORED_ON],
                outputs=["rl_scores@one", "rl_hand_scores@one", "rl_scoring_timings"],
                name="score_rl",
                namespace="rl",
            ),
        ]
    )
