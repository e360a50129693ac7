"""Reinforcement learning from selected fine-tuning checkpoints, without and with an anchor, and its scores."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.rl.score_rl import score_rl
from card24_pipeline.pipelines.rl.train_rl import train_rl


def create_pipeline() -> Pipeline:
    """Wire the reinforcement-learning pipeline: the same two nodes for each arm."""
    return Pipeline([*_wire_arm("rl", "params:rl_arms.plain"), *_wire_arm("rl_anchored", "params:rl_arms.anchored")])


def _wire_arm(name: str, arm: str) -> list[Node]:
    return [
        Node(
            train_rl,
            inputs={
                "sft_checkpoints": "sft_checkpoints",
                "base_model": "base_model",
                "selected_checkpoints": "selected_checkpoints@seed",
                "rl_hands": "rl_hands",
                "prompt": "params:game.prompt",
                "settings": "params:rl",
                "arm": arm,
                "seed": "params:seed",
                "progress": f"{name}_progress",
            },
            outputs=[f"{name}_checkpoints", f"{name}_history@seed", f"{name}_timings"],
            name=f"train_{name}",
            namespace="rl",
        ),
        Node(
            score_rl,
            inputs=[
                f"{name}_checkpoints",
                "base_model",
                "eval_hands",
                "sft_examples",
                "params:game.prompt",
                "params:scoring",
            ],
            outputs=[f"{name}_scores@seed", f"{name}_hand_scores@seed", f"{name}_scoring_timings"],
            name=f"score_{name}",
            namespace="rl",
        ),
    ]
