import pytest

from card24_pipeline.evaluation.costs import count_forward_flops, count_matrix_parameters, count_training_flops


@pytest.fixture
def weights(architecture, tokenizer):
    """Weights of the tiny model by hand: attention, gated MLP and norms of two layers, last norm, head."""
    hidden, inner = architecture.hidden_size, architecture.intermediate_size
    layer = 4 * hidden * hidden + 3 * hidden * inner + 2 * hidden
    return 2 * layer + hidden + len(tokenizer) * hidden


def test_weights_are_all_but_the_lookup(make_model, weights):
    assert count_matrix_parameters(make_model()) == weights


def test_tied_embedding_counts_once_as_the_head(make_model, weights):
    model = make_model()
    model.lm_head.weight = model.model.embed_tokens.weight
    assert count_matrix_parameters(model) == weights


def test_forward_pass_against_a_count_by_hand(make_model, architecture, weights):
    def count_by_hand(tokens):
        flops = 0
        for position in range(1, tokens + 1):
            flops += 2 * weights
            # A token looks at itself and all before it: a product for each score, one for each weighted value.
            flops += architecture.layers * 2 * (2 * position * architecture.hidden_size)
        return flops

    model = make_model()
    assert count_forward_flops(model, [5]) == count_by_hand(5)
    assert count_forward_flops(model, [1, 7, 7]) == count_by_hand(1) + 2 * count_by_hand(7)
    assert count_forward_flops(model, []) == 0


def test_training_costs_three_forward_passes(make_model):
    model = make_model()
    assert count_training_flops(model, [3, 9]) == 3 * count_forward_flops(model, [3, 9])
