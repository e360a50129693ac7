"""Attention of one new token to what a cache holds, by two plain products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_NAME = "card24_token"


@contextmanager
def attend_by_products(model: PreTrainedModel) -> Iterator[None]:
    """Let a model on the CPU that uses torch's fused attention read single tokens without it, while this lasts.

    The fused kernel is made for long rows of queries. Only rounding differs; whatever is masked, has several queries
    or other attention is left as it is.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    before = model.config._attn_implementation
    if before != "sdpa" or model.device.type != "cpu":
        yield
        return
    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, sdpa_mask)
    model.set_attn_implementation(_NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as ``sdpa_attention_forward`` of transformers does: (rows, heads, tokens, width) to (rows, tokens, …)."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    rows, heads, tokens, width = query.shape
    if tokens > 1 or attention_mask is not None or kwargs.get("dropout") or kwargs.get("position_bias") is not None:
        attended: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
        return attended
    groups = key.shape[1]  # queries of one group have keys and values in common
    scale = width**-0.5 if scaling is None else scaling
    asked = (query * scale).view(rows, groups, heads // groups, width)
    weights = (asked @ key.transpose(-1, -2)).softmax(-1)
    return (weights @ value).view(rows, 1, heads, -1), None
