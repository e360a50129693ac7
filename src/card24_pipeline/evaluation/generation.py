"""Batched greedy generation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from card24_pipeline.evaluation.preallocated_cache import build_cache
from card24_pipeline.evaluation.shared_prompt import can_share, decode_greedily, pad_left

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

    Equal prompts are answered once. Prompts are batched by length, so that little is padded, and in alphabetical order,
    so that they begin alike; answers come back in the order of ``prompts``. The model is in evaluation mode and
    ``max_new_tokens`` includes the end token.

    Raises:
        ValueError: If a prompt and its answer could outgrow the model's context.
    """
    ids = tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
    context = int(model.config.max_position_embeddings)
    longest = max((len(prompt) for prompt in ids), default=0)
    if longest + max_new_tokens > context:
        raise ValueError(
            f"a prompt of {longest} tokens and {max_new_tokens} new tokens exceed the model's context of {context}"
        )
    end = tokenizer.eos_token_id
    decode = decode_greedily if can_share(model, end) else _decode_by_library
    different = sorted({tuple(prompt) for prompt in ids}, key=lambda prompt: (len(prompt), prompt))
    copies = Counter(map(tuple, ids))
    answers: dict[tuple[int, ...], list[int]] = {}
    with tqdm(total=len(ids), desc=description, unit="hand", mininterval=1.0, leave=None) as progress:
        for start in range(0, len(different), batch_size):
            batch = different[start : start + batch_size]
            answers |= zip(batch, decode(model, batch, max_new_tokens=max_new_tokens, end=end), strict=True)
            progress.update(sum(copies[prompt] for prompt in batch))
    return [_describe(tokenizer, len(prompt), answers[tuple(prompt)]) for prompt in ids]


def _describe(tokenizer: PreTrainedTokenizerBase, prompt_tokens: int, answer: list[int]) -> Generation:
    cut = tokenizer.eos_token_id not in answer
    text = tokenizer.decode(answer if cut else answer[:-1], skip_special_tokens=True)
    return Generation(text, prompt_tokens, len(answer), cut)


def _decode_by_library(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, end: int
) -> list[list[int]]:
    """Do what :func:`decode_greedily` does with any causal model, whose generation settings are kept to."""
    import torch

    ids, mask = pad_left(prompts, end, model.device)
    width = ids.shape[1]
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=end,
            past_key_values=build_cache(model, tokens=width + max_new_tokens),
        )
    rows: list[list[int]] = output[:, width:].tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]
