"""The word-level tokenizer of the from-scratch base: one token for every card, number, operator and marker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, END, UNKNOWN = "<pad>", "<end>", "<unk>"


def build_word_tokenizer(texts: Iterable[str], *, max_tokens: int) -> PreTrainedTokenizerFast:
    """Build a tokenizer whose vocabulary is the set of space-separated words of ``texts``.

    Words are numbered in sorted order after ``<pad>``, ``<end>`` (end of sequence) and ``<unk>``, so the vocabulary
    depends on the set of words alone and not on the order of the texts. Decoding joins words with single spaces;
    padding is on the left, as batched generation needs; ``max_tokens`` is the context length that is recorded.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for text in texts for word in text.split()})
    vocabulary = {word: index for index, word in enumerate([PAD, END, UNKNOWN, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=max_tokens,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
