"""Batched greedy generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from card24_pipeline.evaluation.preallocated_cache import build_cache

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Generation:
    """One answer: its text, its prompt and answer length in tokens, and whether the length limit cut it."""

    text: str
    prompt_tokens: int
    answer_tokens: int
    cut: bool


def generate_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int,
    description: str,
) -> list[Generation]:
    """Answer every prompt greedily (argmax at every token), in batches with a key-value cache.

    Prompts are batched by length so that little is padded; answers come back in the order of ``prompts``. The model is
    in evaluation mode, its tokenizer pads on the left, and ``max_new_tokens`` includes the end token.

    Raises:
        ValueError: If a prompt and its answer could outgrow the model's context.
    """
    import torch

    ids = tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
    context = int(model.config.max_position_embeddings)
    longest = max((len(prompt) for prompt in ids), default=0)
    if longest + max_new_tokens > context:
        raise ValueError(
            f"a prompt of {longest} tokens and {max_new_tokens} new tokens exceed the model's context of {context}"
        )
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    answers: dict[int, Generation] = {}
    end = tokenizer.eos_token_id
    progress = tqdm(total=len(ids), desc=description, unit="hand", mininterval=1.0)
    with torch.inference_mode(), progress:
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = tokenizer.pad({"input_ids": [ids[index] for index in chosen]}, return_tensors="pt").to(model.device)
            width = batch["input_ids"].shape[1]
            output = model.generate(
                **batch,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                past_key_values=build_cache(model, tokens=width + max_new_tokens),
            )
            for index, row in zip(chosen, output[:, width:].tolist(), strict=True):
                cut = end not in row
                kept = row if cut else row[: row.index(end)]
                text = tokenizer.decode(kept, skip_special_tokens=True)
                answers[index] = Generation(text, len(ids[index]), len(kept) + (not cut), cut)
            progress.update(len(chosen))
    return [answers[index] for index in range(len(ids))]
