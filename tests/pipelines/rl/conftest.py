"""A base, three fine-tuning checkpoints of it and a few hands, small enough to play with."""

import pytest

from card24_pipeline.checkpoints.manifest import write_manifest
from card24_pipeline.checkpoints.writer import save_checkpoint
from card24_pipeline.models.from_scratch import ArchitectureParams, build_llama
from card24_pipeline.models.tokenizer import build_word_tokenizer
from card24_pipeline.pipelines.game.deal_rl_hands import RlHandsParams, deal_rl_hands

STEPS = (2, 6, 12)


@pytest.fixture(scope="session")
def rl_hands(few_multisets, rules, prompt):
    return deal_rl_hands(few_multisets, rules, prompt, RlHandsParams(seed=3, deals_per_multiset=2))


@pytest.fixture(scope="session")
def save_model(sft_examples, eval_hands):
    """Save an untrained model that knows the words of every prompt and answer."""
    texts = [*sft_examples["prompt"], *sft_examples["answer"], *eval_hands["prompt"]]
    tokenizer = build_word_tokenizer(texts, max_tokens=64)
    size = ArchitectureParams(hidden_size=16, intermediate_size=32, layers=2, attention_heads=2, max_tokens=64)

    def save(folder, seed):
        save_checkpoint(build_llama(size, tokenizer, seed=seed), tokenizer, folder)

    return save


@pytest.fixture(scope="session")
def base_model(save_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "base"
    save_model(folder, 0)
    return folder


@pytest.fixture(scope="session")
def sft_checkpoints(save_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sft")
    for step in STEPS:
        save_model(folder / f"step_{step}", step)
    write_manifest(folder)
    return folder
