"""Writing a model and its tokenizer as a folder that exists only when whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.checkpoints.manifest import write_manifest
from card24_pipeline.checkpoints.publishing import publish_folder, stage_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def save_checkpoint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save weights (safetensors), configuration and tokenizer so that ``from_pretrained`` opens the folder.

    A run that is killed half-way leaves what stood under ``folder`` before.
    """
    staged = stage_folder(folder)
    training_use_cache, model.config.use_cache = model.config.use_cache, True  # trainers switch it off for themselves
    try:
        model.save_pretrained(staged)
    finally:
        model.config.use_cache = training_use_cache
    tokenizer.save_pretrained(staged)
    write_manifest(staged)
    publish_folder(staged, folder)
