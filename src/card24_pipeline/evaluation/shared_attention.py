"""Attention to a beginning that all rows share: its keys and values are computed once and kept once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ATTENTION = "shared_prompt"
FAMILIES = ("llama", "qwen2")  # attention is the softmax of scaled products and nothing else


def knows_attention(model: PreTrainedModel) -> bool:
    """Tell whether the model attends as this module does: to all tokens before, by the softmax of scaled products."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    whole = all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)
    return model.config.model_type in FAMILIES and whole


def read_beginning(model: PreTrainedModel, tokens: Sequence[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return each layer's keys and values of a text, heads × tokens × width; none without tokens."""
    import torch
    from transformers import DynamicCache

    if not tokens:
        return []
    cache = DynamicCache(config=model.config)
    model.base_model(input_ids=torch.tensor([list(tokens)], device=model.device), past_key_values=cache, use_cache=True)
    return [(layer.keys[0], layer.values[0]) for layer in cache.layers]


@contextmanager
def share_attention(model: PreTrainedModel) -> Iterator[None]:
    """Let a model whose attention is known attend to a ``beginning`` that its call is given."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    def mask(*args: Any, **kwargs: Any) -> torch.Tensor | None:
        kwargs["allow_is_causal_skip"] = kwargs["q_length"] == 1
        return sdpa_mask(*args, **kwargs)

    AttentionInterface.register(ATTENTION, _attend)
    AttentionMaskInterface.register(ATTENTION, mask)
    before = model.config._attn_implementation
    model.set_attn_implementation(ATTENTION)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    beginning: Sequence[tuple[torch.Tensor, torch.Tensor]] = (),
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend to a row's own tokens, as masked, and to all of the shared beginning; an attention of transformers.

    ``query`` is rows × heads × tokens × width, ``key`` and ``value`` have the heads of the keys.
    """
    import torch

    rows, heads, tokens, width = query.shape
    groups = key.shape[1]
    query = (query * scaling).reshape(rows, groups, -1, width)  # heads that share their keys are rows of one product
    scores = query @ key.transpose(-1, -2)
    if attention_mask is not None:
        hidden = attention_mask.logical_not().repeat(1, 1, heads // groups, 1)
        scores.masked_fill_(hidden, torch.finfo(scores.dtype).min)
    if not beginning:
        return (scores.softmax(-1) @ value).view(rows, heads, tokens, width).transpose(1, 2), None
    keys, values = beginning[module.layer_idx]
    gathered = query.transpose(0, 1).reshape(groups, -1, width)
    common = (gathered @ keys.transpose(-1, -2)).view(groups, rows, -1, keys.shape[1]).transpose(0, 1)
    weights = torch.cat([common, scores], dim=-1).softmax(-1)
    common, own = weights.split([keys.shape[1], key.shape[2]], dim=-1)
    summed = (common.transpose(0, 1).reshape(groups, -1, keys.shape[1]) @ values).view(groups, rows, -1, width)
    attended = (own @ value).add_(summed.transpose(0, 1))
    return attended.view(rows, heads, tokens, width).transpose(1, 2), None
