import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from card24_pipeline.models.shared_prompt import can_share, count_shared, read_states

SIZES = {
    "vocab_size": 20,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
}
ROWS = torch.tensor([[3, 4, 5, 6, 7, 8, 9, 0], [3, 4, 5, 6, 2, 1, 1, 1], [3, 4, 5, 6, 7, 8, 0, 0]])


def mark(*first):
    """Say which tokens are wanted: those from a place of each row on."""
    return torch.arange(ROWS.shape[1])[None] >= torch.tensor(first)[:, None]


class TestCount:
    def test_it_is_what_all_rows_begin_with(self):
        assert count_shared(ROWS.tolist(), before=6) == 4
        assert count_shared(ROWS[::2].tolist(), before=7) == 6
        assert count_shared([(3, 4, 5), (3, 4, 6, 1)], before=3) == 2

    def test_the_state_before_a_predicted_token_is_each_rows_own(self):
        assert count_shared(ROWS[::2].tolist(), before=6) == 5
        assert count_shared(ROWS.tolist(), before=4) == 3

    def test_one_row_or_one_token_is_nothing_to_share(self):
        assert count_shared(ROWS[:1].tolist(), before=6) == 0
        assert count_shared(ROWS.tolist(), before=2) == 0
        assert count_shared(ROWS.tolist(), before=0) == 0

    def test_equal_rows_keep_the_last_state_before_the_answer(self):
        assert count_shared(ROWS[:1].repeat(3, 1).tolist(), before=6) == 5


class TestReading:
    @pytest.fixture(params=[4, 2])
    def model(self, request, double_norms):
        """A float64 model, with and without grouped queries."""
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=request.param)).double().train()

    def read(self, model, wanted, *, shares):
        model.zero_grad()
        states = read_states(model.base_model, ROWS, wanted, shares=shares)
        loss = model.lm_head(states).log_softmax(-1).square().sum()
        loss.backward()
        return states.detach(), [each.grad.clone() for each in model.parameters()]

    def test_states_and_gradients_are_those_of_the_plain_way(self, model):
        wanted = mark(5, 6, 7)
        assert can_share(model.base_model)
        (states, gradients), (plain_states, plain) = (
            self.read(model, wanted, shares=shares) for shares in (True, False)
        )
        assert states.shape == (3 + 2 + 1, 16)
        assert float((states - plain_states).abs().max()) < 1e-12
        assert max(float(each.abs().max()) for each in plain) > 1
        for one, two in zip(gradients, plain, strict=True):
            assert float((one - two).abs().max()) < 1e-12 * max(1.0, float(two.abs().max()))


def test_sliding_windows_are_read_row_by_row():
    config = {**SIZES, "num_key_value_heads": 2}
    assert not can_share(MistralForCausalLM(MistralConfig(**config, sliding_window=4)).base_model)
    assert can_share(MistralForCausalLM(MistralConfig(**config, sliding_window=None)).base_model)
