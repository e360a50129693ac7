"""Prompts and answers as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED_LABEL = -100


class TokenizedExample(TypedDict):
    """One training sequence; ``labels`` is ``input_ids`` with the prompt's positions set to -100."""

    input_ids: list[int]
    labels: list[int]


def tokenize_examples(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], answers: Sequence[str], *, max_tokens: int
) -> list[TokenizedExample]:
    """Tokenize prompt–answer pairs once, with the loss on the answer and the end token only.

    A space joins prompt and answer; the tokenizer has an end token, and ``max_tokens`` is the model's context.

    Raises:
        ValueError: If a prompt and its answer do not fit into ``max_tokens``; the error shows the longest.
    """
    prompt_ids = tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
    answer_ids = tokenizer([f" {answer}" for answer in answers], add_special_tokens=False)["input_ids"]
    end = [tokenizer.eos_token_id]
    examples: list[TokenizedExample] = [
        {"input_ids": prompt + answer + end, "labels": [IGNORED_LABEL] * len(prompt) + answer + end}
        for prompt, answer in zip(prompt_ids, answer_ids, strict=True)
    ]
    lengths = [len(example["input_ids"]) for example in examples]
    longest = lengths.index(max(lengths))
    if lengths[longest] > max_tokens:
        raise ValueError(
            f"an example of {lengths[longest]} tokens does not fit into the model's {max_tokens}: {prompts[longest]!r}"
        )
    return examples
