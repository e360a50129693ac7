"""How the weights moved: singular values and vectors, beside null models."""

from kedro.pipeline import Node, Pipeline

from card24_pipeline.pipelines.spectra.measure_rl_spectra import measure_rl_spectra
from card24_pipeline.pipelines.spectra.measure_sft_spectra import measure_sft_spectra


def create_pipeline() -> Pipeline:
    """Wire the spectra pipeline."""
    return Pipeline(
        [
            Node(
                measure_sft_spectra,
                inputs=["base_model", "sft_checkpoints", "selected_checkpoints@one", "params:spectra"],
                outputs=["sft_spectra@one", "sft_spectra_by_index@one", "sft_spectra_timings"],
                name="measure_sft_spectra",
                namespace="spectra",
            ),
            Node(
                measure_rl_spectra,
                inputs=[
                    "base_model",
                    "sft_checkpoints",
                    "rl_checkpoints",
                    "selected_checkpoints@one",
                    "params:spectra",
                    "params:rl_arm",
                ],
                outputs=["rl_spectra@one", "rl_spectra_by_index@one", "rl_return@one", "rl_spectra_timings"],
                name="measure_rl_spectra",
                namespace="spectra",
            ),
        ]
    )
