"""How the weights moved: singular values and vectors, beside null models."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.spectra.measure_spectra import measure_spectra


def create_pipeline() -> Pipeline:
    """Wire the spectra pipeline."""
    return Pipeline(
        [
            Node(
                measure_spectra,
                inputs=[
                    "base_model",
                    "sft_checkpoints",
                    "rl_checkpoints",
                    "rl_anchored_checkpoints",
                    "selected_checkpoints@seed",
                    "params:spectra",
                ],
                outputs=["spectra@seed", "spectra_by_index@seed", "rl_return@seed", "spectra_timings"],
                name="measure_spectra",
                namespace="spectra",
            )
        ]
    )
