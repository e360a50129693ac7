"""Llama-architecture models with fresh weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import PositiveInt, model_validator

from card24_pipeline.parameters.base import Params

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


class ArchitectureParams(Params):
    """Size of a from-scratch Llama model (all lengths in units, heads or tokens)."""

    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    layers: PositiveInt
    attention_heads: PositiveInt
    max_tokens: PositiveInt

    @model_validator(mode="after")
    def check_heads(self) -> Self:
        """Check that the hidden size splits into heads of an even width, as rotary embeddings need."""
        if self.hidden_size % (2 * self.attention_heads):
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of 2 × attention_heads ({self.attention_heads})"
            )
        return self


def build_llama(architecture: ArchitectureParams, tokenizer: PreTrainedTokenizerFast, *, seed: int) -> LlamaForCausalLM:
    """Initialise a float32 Llama with untied embeddings for ``tokenizer``'s vocabulary and special tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

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
