"""Batched greedy generation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tqdm import tqdm

from card24_pipeline.evaluation.decoding import decode, pad_left
from card24_pipeline.evaluation.preallocated_cache import build_cache
from card24_pipeline.evaluation.shared_attention import knows_attention

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Generation settings that bend no greedy answer, though transformers lists them as set.
HARMLESS_SETTINGS = {
    *("bos_token_id", "eos_token_id", "pad_token_id", "use_cache", "output_attentions", "output_hidden_states"),
    *("_from_model_config", "transformers_version"),
}


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
    answer = decode_greedily if takes_argmax(model, end) else _decode_by_library
    different = sorted({tuple(prompt) for prompt in ids}, key=lambda prompt: (len(prompt), prompt))
    copies = Counter(map(tuple, ids))
    answers: dict[tuple[int, ...], list[int]] = {}
    with tqdm(total=len(ids), desc=description, unit="hand", mininterval=1.0, leave=None) as progress:
        for start in range(0, len(different), batch_size):
            batch = different[start : start + batch_size]
            answers |= zip(batch, answer(model, batch, max_new_tokens=max_new_tokens, end=end), strict=True)
            progress.update(sum(copies[prompt] for prompt in batch))
    return [_describe(tokenizer, len(prompt), answers[tuple(prompt)]) for prompt in ids]


def _describe(tokenizer: PreTrainedTokenizerBase, prompt_tokens: int, answer: list[int]) -> Generation:
    cut = tokenizer.eos_token_id not in answer
    text = tokenizer.decode(answer if cut else answer[:-1], skip_special_tokens=True)
    return Generation(text, prompt_tokens, len(answer), cut)


def takes_argmax(model: PreTrainedModel, end: int) -> bool:
    """Tell whether the model's attention is known and its generation settings ask for argmax and this end alone."""
    settings = model.generation_config.to_diff_dict()
    greedy = not set(settings) - HARMLESS_SETTINGS and settings.get("eos_token_id") == end
    return greedy and knows_attention(model)


def decode_greedily(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, end: int
) -> list[list[int]]:
    """Return the tokens that argmax adds to each prompt, see ``decode``, of a model that ``takes_argmax``."""
    return decode(model, prompts, lambda logits, *_: logits.argmax(-1), max_new_tokens=max_new_tokens, end=end)


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
