"""From the rules of the game to the hands of every split."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.game.deal_eval_hands import deal_eval_hands
from card24_pipeline.pipelines.game.deal_rl_hands import deal_rl_hands
from card24_pipeline.pipelines.game.render_sft_examples import render_sft_examples
from card24_pipeline.pipelines.game.split_multisets import split_multisets


def create_pipeline() -> Pipeline:
    """Wire the game pipeline."""
    asked = ["multisets", "params:game.rules", "params:game.prompt"]
    dealers = {"eval_hands": deal_eval_hands, "sft_examples": render_sft_examples, "rl_hands": deal_rl_hands}
    return Pipeline(
        [
            Node(
                split_multisets,
                inputs=["params:game.rules", "params:game.split"],
                outputs="multisets",
                name="split_multisets",
                namespace="game",
            ),
            *(
                Node(dealer, [*asked, f"params:game.{hands}"], hands, name=dealer.__name__, namespace="game")
                for hands, dealer in dealers.items()
            ),
        ]
    )
