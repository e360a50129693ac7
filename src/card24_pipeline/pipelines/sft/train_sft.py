"""Fine-tune the base on hands of the ID rule."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd
from pydantic import Field, PositiveInt, model_validator

from card24_pipeline.checkpoints.manifest import write_manifest
from card24_pipeline.models.loading import check_vocabulary, load_checkpoint
from card24_pipeline.models.tokenized import tokenize_examples
from card24_pipeline.parameters.arms import read_arm
from card24_pipeline.parameters.base import Params
from card24_pipeline.training.language_modelling import ScheduleParams, train_language_model
from card24_pipeline.training.progress import open_progress


class SftParams(Params):
    """Fine-tuning on the ID rule, and the steps after which a checkpoint is kept (the last step always is)."""

    checkpoint_steps: list[PositiveInt] = Field(min_length=1)
    schedule: ScheduleParams

    @model_validator(mode="after")
    def check_steps(self) -> Self:
        """Check that checkpoints are kept within the run."""
        if max(self.checkpoint_steps) > self.schedule.steps:
            raise ValueError(f"checkpoint_steps: expected steps up to schedule.steps ({self.schedule.steps})")
        return self


class SftArmParams(Params):
    """One arm of fine-tuning: the keys of ``sft`` that are otherwise in it."""

    settings: dict[str, Any] = Field(default_factory=dict)

    def choose_settings(self, sft: SftParams) -> SftParams:
        """Lay the arm's own settings over ``sft``; ValueError if a key is unknown or a value wrong."""
        return sft.lay_over(self.settings)


def train_sft(
    base_model: Path,
    sft_examples: pd.DataFrame,
    sft: SftParams,
    sft_arms: Mapping[str, Any],
    sft_arm: str,
    seed: int,
    device: str,
    progress: Path,
) -> tuple[Path, pd.DataFrame, dict[str, Any]]:
    """Fine-tune all parameters on answers to ID hands, keeping log-spaced checkpoints.

    Args:
        base_model: Checkpoint folder to start from.
        sft_examples: Columns ``prompt`` and ``answer``.
        sft: Schedule and checkpoint steps of all arms.
        sft_arms: What each arm has of its own, of which the block of ``sft_arm`` is read.
        seed: Order of the examples.
        progress: Private folder from which a killed run resumes.

    Returns:
        A staged folder with one checkpoint folder per kept step, the training history and the timings.
    """
    params = read_arm(sft_arms, sft_arm, SftArmParams).choose_settings(sft)
    model, tokenizer = load_checkpoint(base_model, device)
    check_vocabulary(tokenizer, [*sft_examples["prompt"], *sft_examples["answer"]], base_model)
    prompts, answers = (sft_examples[name].tolist() for name in ("prompt", "answer"))
    examples = tokenize_examples(tokenizer, prompts, answers, max_tokens=model.config.max_position_embeddings)
    steps = sorted({*params.checkpoint_steps, params.schedule.steps})
    work = open_progress(progress, base_model, sft_examples, params, seed, device)
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
