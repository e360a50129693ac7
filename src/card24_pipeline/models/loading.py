"""Opening a checkpoint folder, with errors that name the file at fault."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.models.device import find_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def check_weights(folder: Path) -> None:
    """Check that a folder holds a configuration and readable safetensors weights, without reading them.

    Raises:
        CheckpointError: If the folder, ``config.json`` or every weight file is missing, or a weight file is
            truncated or no safetensors file. Pickled weights are not accepted.
    """
    from safetensors import SafetensorError, safe_open

    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder / 'config.json'} is missing: expected a transformers checkpoint folder")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise CheckpointError(f"{folder} has no *.safetensors weights (pickled weights are not opened)")
    for path in weights:
        try:
            with safe_open(path, framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path} is truncated or not a safetensors file: {error}") from error


def load_checkpoint(folder: Path, device: str = "cpu") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Open a checkpoint folder in float32, from this folder alone (never from the network).

    The folder's own generation settings are set aside, since some (a repetition penalty, other end tokens) would
    also bend greedy generation.

    Returns:
        The model, in evaluation mode and on :func:`find_device`'s device, and its tokenizer, which pads on the left.

    Raises:
        CheckpointError: See :func:`check_weights`; also if the tokenizer cannot be opened or has no end token, or if
            the model cannot be opened or its weights are incomplete.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
    from transformers.utils import logging

    check_weights(folder)
    logging.disable_progress_bar()  # a bar for each folder that opens in milliseconds
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, padding_side="left")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} has no tokenizer that can be opened: {error}") from error
    if tokenizer.eos_token_id is None:
        raise CheckpointError(f"the tokenizer in {folder} has no end-of-sequence token")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} has no model that can be opened: {error}") from error
    if report["missing_keys"]:  # transformers would draw these at random
        raise CheckpointError(f"the weights in {folder} lack {', '.join(sorted(report['missing_keys'])[:5])}")
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return model.eval().to(find_device(device)), tokenizer


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], folder: Path) -> None:
    """Check that a tokenizer can write every word of ``texts``.

    Raises:
        CheckpointError: If a word becomes the unknown token; the error names the folder and up to five words.
    """
    if tokenizer.unk_token_id is None:
        return
    words = sorted({word for text in texts for word in text.split()})
    ids = tokenizer(words, add_special_tokens=False)["input_ids"]
    unknown = [word for word, word_ids in zip(words, ids, strict=True) if tokenizer.unk_token_id in word_ids]
    if unknown:
        shown = ", ".join(repr(word) for word in unknown[:5])
        raise CheckpointError(f"the tokenizer in {folder} lacks {len(unknown)} needed tokens, such as {shown}")
