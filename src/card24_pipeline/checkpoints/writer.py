"""Writing a model and its tokenizer as a folder that exists only when whole."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.checkpoints.manifest import publish_folder, write_manifest

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def save_checkpoint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save weights (safetensors), configuration and tokenizer so that ``from_pretrained`` opens the folder.

    Everything is written to a sibling folder first and moved into place once its manifest is there, so a run
    that is killed half-way leaves nothing under ``folder``.
    """
    staged = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    training_use_cache, model.config.use_cache = model.config.use_cache, True  # trainers switch it off for themselves
    try:
        model.save_pretrained(staged)
    finally:
        model.config.use_cache = training_use_cache
    tokenizer.save_pretrained(staged)
    write_manifest(staged)
    publish_folder(staged, folder)
