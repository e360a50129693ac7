"""The model that everything starts from, and its scores."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.base_model.obtain_base_model import obtain_base_model
from card24_pipeline.pipelines.base_model.render_pretraining_examples import render_pretraining_examples
from card24_pipeline.pipelines.base_model.score_base_model import score_base_model

TEXTS = ["pretraining_examples", "sft_examples", "eval_hands"]


def create_pipeline() -> Pipeline:
    """Wire the base model pipeline."""
    return Pipeline(
        [
            Node(
                render_pretraining_examples,
                inputs=[
                    "multisets",
                    "params:game.rules",
                    "params:game.prompt",
                    "params:base_model.mixture",
                    "params:seed",
                ],
                outputs="pretraining_examples",
                name="render_pretraining_examples",
                namespace="base_model",
            ),
            Node(
                obtain_base_model,
                inputs=[*TEXTS, "params:base_model.source", "params:seed", "params:device", "base_model_progress"],
                outputs=["base_model", "base_model_history", "base_model_timings"],
                name="obtain_base_model",
                namespace="base_model",
            ),
            Node(
                score_base_model,
                inputs=["base_model", "eval_hands", "params:game.prompt", "params:scoring", "params:device"],
                outputs=["base_scores@one", "base_hand_scores@one", "base_scoring_timings"],
                name="score_base_model",
                namespace="base_model",
            ),
        ]
    )
