from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

SIZES = {
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 32,
}


@pytest.fixture
def save_model(tmp_path):
    """Save a tiny library model in the hub's format; its weights depend on the seed alone."""

    def save(
        name: str, *, seed: int = 0, kind: str = "llama", tied: bool = False, shard: str = "1GB", **sizes: object
    ) -> Path:
        torch.manual_seed(seed)
        settings = {**SIZES, "num_hidden_layers": 4, "tie_word_embeddings": tied, **sizes}
        if kind == "llama":
            model = LlamaForCausalLM(LlamaConfig(**settings))
        else:
            model = Qwen2ForCausalLM(Qwen2Config(**settings))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        dtype = settings.get("dtype")
        (model.to(dtype) if isinstance(dtype, torch.dtype) else model).save_pretrained(
            tmp_path / name, max_shard_size=shard
        )
        return tmp_path / name

    return save
