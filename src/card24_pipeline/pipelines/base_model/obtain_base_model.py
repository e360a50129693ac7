"""Obtain the base model: train it from scratch, or take it from a folder."""

import logging
import shutil
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import pandas as pd
from pydantic import ConfigDict, Field, RootModel

from card24_pipeline.checkpoints.writer import save_checkpoint
from card24_pipeline.models.device import find_device
from card24_pipeline.models.from_scratch import ArchitectureParams, build_llama
from card24_pipeline.models.loading import check_vocabulary, load_checkpoint
from card24_pipeline.models.tokenized import tokenize_examples
from card24_pipeline.models.tokenizer import build_word_tokenizer
from card24_pipeline.parameters.base import Params
from card24_pipeline.training.language_modelling import HISTORY_COLUMNS, ScheduleParams, train_language_model
from card24_pipeline.training.progress import open_progress

logger = logging.getLogger(__name__)

Obtained = tuple[Path, pd.DataFrame, dict[str, Any]]


class FromScratchParams(Params):
    """Train the base model here, from fresh weights."""

    kind: Literal["from_scratch"]
    architecture: ArchitectureParams
    schedule: ScheduleParams


class FolderParams(Params):
    """Take the base model from a checkpoint folder on this machine."""

    kind: Literal["folder"]
    path: str = Field(min_length=1)


class SourceParams(RootModel[Annotated[FromScratchParams | FolderParams, Field(discriminator="kind")]]):
    """Where the base model comes from; ``kind`` says which of the sources."""

    model_config = ConfigDict(frozen=True)


def obtain_base_model(
    pretraining_examples: pd.DataFrame,
    sft_examples: pd.DataFrame,
    eval_hands: pd.DataFrame,
    source: SourceParams,
    seed: Any,
    device: str,
    progress: Path,
) -> Obtained:
    """Obtain the base from wherever ``source`` says, as a checkpoint folder of our own.

    Args:
        pretraining_examples: What a from-scratch base is trained on.
        sft_examples: With ``eval_hands``, the texts that any base must be able to read and write.
        eval_hands: Column ``prompt``.
        source: What to do.
        seed: The replicate's seed, of the initial weights and the order of the examples; ``none`` for a base that the
            replicates share, which must be a given one.
        device: Where a from-scratch base is trained.
        progress: Private folder from which a killed run resumes.

    Returns:
        A staged checkpoint folder, the training history (empty for a base that was not trained here) and timings.

    Raises:
        CheckpointError: If a given folder is incomplete, damaged, or lacks a needed token.
        ClickException: If the replicates share a base that is to be trained here.
    """
    texts = [*sft_examples["prompt"], *sft_examples["answer"], *eval_hands["prompt"]]
    inputs = (pretraining_examples, sft_examples, eval_hands, source, seed, device)
    if isinstance(source.root, FolderParams):
        started, folder = time.perf_counter(), Path(source.root.path)
        model, tokenizer = load_checkpoint(folder)
        check_vocabulary(tokenizer, texts, folder)
        staged = open_progress(progress, *inputs) / "base"
        save_checkpoint(model, tokenizer, staged)  # anew, so that it is whole and self-contained
        return staged, pd.DataFrame(columns=HISTORY_COLUMNS), {"wall_seconds": time.perf_counter() - started}
    if isinstance(seed, str):
        raise click.ClickException(
            "base_model.source: a from_scratch base is each seed's own, but globals.yml of the scale has a base_folder "
            "that all share: drop that line, or give the base as a folder"
        )
    texts += [*pretraining_examples["prompt"], *pretraining_examples["answer"]]
    work = open_progress(progress, *inputs)
    return _train_from_scratch(pretraining_examples, texts, source.root, seed, device, work)


def _train_from_scratch(
    examples: pd.DataFrame, texts: list[str], source: FromScratchParams, seed: int, device: str, work: Path
) -> Obtained:
    """Train a fresh Llama on the mixture with a tokenizer made of the texts' words."""
    tokenizer = build_word_tokenizer(texts, max_tokens=source.architecture.max_tokens)
    model = build_llama(source.architecture, tokenizer, seed=seed).to(find_device(device))
    millions = model.num_parameters() / 1e6
    logger.info("Training a base of %.2f M parameters with a vocabulary of %d", millions, len(tokenizer))
    prompts, answers = (examples[name].tolist() for name in ("prompt", "answer"))
    tokenized = tokenize_examples(tokenizer, prompts, answers, max_tokens=source.architecture.max_tokens)
    last = source.schedule.steps
    run = train_language_model(
        model, tokenizer, tokenized, source.schedule, save_steps=[last], seed=seed, progress=work
    )
    staged = work / "base"
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(work / f"step_{last}", staged)
    return staged, pd.DataFrame(run.history), run.timings()
