"""Fine-tune the base on hands of the ID rule."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from card24_pipeline.checkpoints.manifest import write_manifest
from card24_pipeline.models.loading import check_vocabulary, load_checkpoint
from card24_pipeline.models.tokenized import tokenize_examples
from card24_pipeline.pipelines.sft.training_params import SftParams
from card24_pipeline.training.language_modelling import train_language_model
from card24_pipeline.training.progress import open_progress


def train_sft(
    base_model: Path, sft_examples: pd.DataFrame, params: SftParams, seed: int, progress: Path
) -> tuple[Path, pd.DataFrame, dict[str, Any]]:
    """Fine-tune all parameters on answers to ID hands, keeping log-spaced checkpoints.

    Args:
        base_model: Checkpoint folder to start from.
        sft_examples: Columns ``prompt`` and ``answer``.
        params: Schedule and checkpoint steps.
        seed: Order of the examples.
        progress: Private folder from which a killed run resumes.

    Returns:
        A staged folder with one checkpoint folder per kept step, the training history and the timings.
    """
    model, tokenizer = load_checkpoint(base_model)
    check_vocabulary(tokenizer, [*sft_examples["prompt"], *sft_examples["answer"]], base_model)
    examples = tokenize_examples(
        tokenizer,
        sft_examples["prompt"].tolist(),
        sft_examples["answer"].tolist(),
        max_tokens=model.config.max_position_embeddings,
    )
    steps = sorted({*params.checkpoint_steps, params.schedule.steps})
    work = open_progress(progress, base_model, sft_examples, params, seed)
    run = train_language_model(
        model.train(), tokenizer, examples, params.schedule, save_steps=steps, seed=seed, progress=work
    )
    staged = work / "checkpoints"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    for step in steps:
        shutil.move(work / f"step_{step}", staged / f"step_{step}")
    write_manifest(staged)
    return staged, pd.DataFrame(run.history), run.timings()
