"""Counted floating-point operations: costs that do not depend on the machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def count_matrix_parameters(model: PreTrainedModel) -> int:
    """Return the number of weights that take part in matrix products: all but the input embedding's lookup."""
    embedding = model.get_input_embeddings().weight
    total = sum(parameter.numel() for parameter in model.parameters())
    tied = model.get_output_embeddings().weight is embedding
    return total if tied else total - embedding.numel()


def count_forward_flops(model: PreTrainedModel, sequence_lengths: Iterable[int]) -> int:
    """Return the floating-point operations of one forward pass over sequences of the given lengths, in FLOP.

    Two operations a weight and token, plus ``2 · layers · heads · head_width · (T² + T)`` for causal attention's
    scores and sums over a sequence of T tokens (Kaplan et al. 2020, arXiv 2001.08361, table 1, with the triangle
    counted exactly). Greedy generation with a key-value cache costs the same as one pass over prompt and answer.
    """
    weights = count_matrix_parameters(model)
    attention = 2 * int(model.config.num_hidden_layers) * int(model.config.hidden_size)
    return sum(2 * weights * tokens + attention * (tokens * tokens + tokens) for tokens in sequence_lengths)


def count_training_flops(model: PreTrainedModel, sequence_lengths: Iterable[int]) -> int:
    """Return the operations of forward and backward passes, in FLOP: three times the forward pass."""
    return 3 * count_forward_flops(model, sequence_lengths)
