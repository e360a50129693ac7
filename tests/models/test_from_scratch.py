import pytest
import torch

from card24_pipeline.models.from_scratch import ArchitectureParams, build_llama


def test_weights_depend_on_the_seed_and_nothing_else(architecture, tokenizer):
    torch.manual_seed(1)
    first = build_llama(architecture, tokenizer, seed=5)
    torch.manual_seed(2)
    second, other = (build_llama(architecture, tokenizer, seed=seed) for seed in (5, 6))
    for (name, one), two in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two), name
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)


def test_model_has_the_size_asked_for(architecture, tokenizer):
    model = build_llama(architecture, tokenizer, seed=0)
    hidden, inner, vocabulary = architecture.hidden_size, architecture.intermediate_size, len(tokenizer)
    layer = 4 * hidden * hidden + 3 * hidden * inner + 2 * hidden
    assert sum(p.numel() for p in model.parameters()) == 2 * layer + hidden + 2 * vocabulary * hidden
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.lm_head.weight is not model.model.embed_tokens.weight
    assert model.config.max_position_embeddings == architecture.max_tokens


def test_special_tokens_are_those_of_the_tokenizer(architecture, tokenizer):
    model = build_llama(architecture, tokenizer, seed=0)
    for settings in (model.config, model.generation_config):
        assert settings.pad_token_id == tokenizer.pad_token_id
        assert settings.eos_token_id == tokenizer.eos_token_id


@pytest.mark.parametrize(("hidden", "heads"), [(18, 4), (15, 5), (12, 8)])
def test_heads_of_odd_or_broken_width_are_refused(hidden, heads):
    with pytest.raises(
        ValueError, match=rf"hidden_size {hidden} must be a multiple of 2 × attention_heads \({heads}\)"
    ):
        ArchitectureParams(hidden_size=hidden, intermediate_size=8, layers=1, attention_heads=heads, max_tokens=8)
