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
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    answers: Sequence[str],
    *,
    max_tokens: int,
) -> list[TokenizedExample]:
    """Tokenize prompt–answer pairs once, with the loss on the answer and the end token only.

    Args:
        tokenizer: A tokenizer with an end-of-sequence token.
        prompts: Text before the answer; a space joins the two.
        answers: What the model is to learn to write.
        max_tokens: The model's context length in tokens.

    Raises:
        ValueError: If a prompt and its answer do not fit into ``max_tokens``; the error shows the longest.
    """
    prompt_ids = tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
    answer_ids = tokenizer([f" {answer}" for answer in answers], add_special_tokens=False)["input_ids"]
    examples: list[TokenizedExample] = [
        {
            "input_ids": [*prompt, *answer, tokenizer.eos_token_id],
            "labels": [IGNORED_LABEL] * len(prompt) + [*answer, tokenizer.eos_token_id],
        }
        for prompt, answer in zip(prompt_ids, answer_ids, strict=True)
    ]
    longest = max(range(len(examples)), key=lambda index: len(examples[index]["input_ids"]))
    length = len(examples[longest]["input_ids"])
    if length > max_tokens:
        raise ValueError(
            f"an example of {length} tokens does not fit into the model's {max_tokens}: {prompts[longest]!r}"
        )
    return examples
