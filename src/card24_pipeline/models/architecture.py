"""The size of a from-scratch model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, PositiveInt


class Architecture(BaseModel):
    """Size of a from-scratch Llama model (all lengths in units, heads or tokens)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    layers: PositiveInt
    attention_heads: PositiveInt
    max_tokens: PositiveInt
