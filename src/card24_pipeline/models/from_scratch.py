"""Llama-architecture models with fresh weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.models.architecture import Architecture

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


def build_llama(architecture: Architecture, tokenizer: PreTrainedTokenizerFast, *, seed: int) -> LlamaForCausalLM:
    """Initialise a float32 Llama with untied embeddings for ``tokenizer``'s vocabulary.

    Args:
        architecture: Size of the model; ``hidden_size`` must be a multiple of ``2 × attention_heads``.
        tokenizer: Supplies the vocabulary size and the special token ids.
        seed: Seed of the initial weights.

    Raises:
        ValueError: If the hidden size does not split into heads of an even width.
    """
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    if architecture.hidden_size % (2 * architecture.attention_heads):
        raise ValueError(
            f"hidden_size {architecture.hidden_size} must be a multiple of 2 × attention_heads "
            f"({architecture.attention_heads}), since rotary embeddings need heads of even width"
        )
    set_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=architecture.hidden_size,
        intermediate_size=architecture.intermediate_size,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.attention_heads,
        num_key_value_heads=architecture.attention_heads,
        max_position_embeddings=architecture.max_tokens,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    return LlamaForCausalLM(config).float()
