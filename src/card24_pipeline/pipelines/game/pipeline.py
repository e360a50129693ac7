"""From the rules of the game to the hands of every split."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.game.deal_eval_hands import deal_eval_hands
from card24_pipeline.pipelines.game.deal_rl_hands import deal_rl_hands
from card24_pipeline.pipelines.game.render_sft_examples import render_sft_examples
from card24_pipeline.pipelines.game.split_multisets import split_multisets


def create_pipeline() -> Pipeline:
    """Wire the game pipeline."""
    return Pipeline(
        [
            Node(
                split_multisets,
                inputs=["params:game.rules", "params:game.split"],
                outputs="multisets",
                name="split_multisets",
                namespace="game",
            ),
            Node(
                deal_eval_hands,
                inputs=["multisets", "params:game.rules", "params:game.prompt", "params:game.eval_hands"],
                outputs="eval_hands",
                name="deal_eval_hands",
                namespace="game",
            ),
            Node(
                render_sft_examples,
                inputs=["multisets", "params:game.rules", "params:game.prompt", "params:game.sft_examples"],
                outputs="sft_examples",
                name="render_sft_examples",
                namespace="game",
            ),
            Node(
                deal_rl_hands,
                inputs=["multisets", "params:game.rules", "params:game.prompt", "params:game.rl_hands"],
                outputs="rl_hands",
                name="deal_rl_hands",
                namespace="game",
            ),
        ]
    )
