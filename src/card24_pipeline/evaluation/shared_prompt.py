"""Greedy decoding that reads the beginning which a batch of prompts shares once, and drops rows that have ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from card24_pipeline.evaluation.preallocated_cache import build_cache

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ATTENTION = "shared_prompt"
FAMILIES = ("llama", "qwen2")  # attention is the softmax of scaled products and nothing else
# Generation settings that bend no greedy answer, though transformers lists them as set.
HARMLESS_SETTINGS = {
    *("bos_token_id", "eos_token_id", "pad_token_id", "use_cache", "output_attentions", "output_hidden_states"),
    *("_from_model_config", "transformers_version"),
}
# Rows that have ended leave once they are this share of the batch: copying the cache costs about as much as a step.
LEAVING_SHARE = 0.1


def knows_attention(model: PreTrainedModel) -> bool:
    """Tell whether the model attends as this module does: to all tokens before, by the softmax of scaled products."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    whole = all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)
    return model.config.model_type in FAMILIES and whole


def can_share(model: PreTrainedModel, end: int) -> bool:
    """Tell whether the model's attention is known and its generation settings ask for argmax and this end alone."""
    settings = model.generation_config.to_diff_dict()
    greedy = not set(settings) - HARMLESS_SETTINGS and settings.get("eos_token_id") == end
    return greedy and knows_attention(model)


def decode_greedily(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], *, max_new_tokens: int, end: int
) -> list[list[int]]:
    """Return the tokens that argmax adds to each prompt, up to the end token, which is kept, or the limit.

    Keys and values of the tokens that all prompts begin with are computed once and kept once. The model is one that
    :func:`can_share` admits, in evaluation mode.
    """
    import torch

    shared = count_shared(prompts)
    ids, mask = pad_left([prompt[shared:] for prompt in prompts], end, model.device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0) + shared
    cache = build_cache(model, tokens=ids.shape[1] + max_new_tokens, tokens_last=model.device.type == "cpu")
    answers: list[list[int]] = [[] for _ in prompts]
    numbers = list(range(len(prompts)))  # of the rows still in the batch
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=model.device)
    with torch.inference_mode(), share_attention(model):
        beginning = read_beginning(model, prompts[0][:shared])
        for _ in range(max_new_tokens):
            tokens = model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
                beginning=beginning,
            ).logits[:, -1].argmax(-1)  # fmt: skip
            for number, token, over in zip(numbers, tokens.tolist(), ended.tolist(), strict=True):
                if not over:
                    answers[number].append(token)
            ended |= tokens == end
            if ended.all():
                break
            ids, positions = tokens[:, None], positions[:, -1:] + 1
            mask = torch.cat([mask, torch.ones_like(ids)], dim=1)
            if ended.sum() >= LEAVING_SHARE * len(numbers):
                kept = ended.logical_not().nonzero()[:, 0]
                cache.batch_select_indices(kept)
                ids, positions, mask, ended = (tensor[kept] for tensor in (ids, positions, mask, ended))
                numbers = [numbers[index] for index in kept.tolist()]
    return answers


def count_shared(rows: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all rows begin with, at most one less than the shortest has."""
    shortest = min(map(len, rows))
    first, last = min(map(list, rows)), max(map(list, rows))  # in alphabetical order; what these share, all share
    apart = (place for place in range(shortest - 1) if first[place] != last[place])
    return next(apart, shortest - 1)


def pad_left(rows: Sequence[Sequence[int]], filler: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of one length, and 0 where they are filled and 1 elsewhere."""
    import torch

    width = max(map(len, rows))
    padded = [[filler] * (width - len(row)) + list(row) for row in rows]
    real = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(padded, device=device), torch.tensor(real, device=device)


def read_beginning(model: PreTrainedModel, tokens: Sequence[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return each layer's keys and values of a text, heads × tokens × width; none without tokens."""
    import torch

    if not tokens:
        return []
    cache = build_cache(model, tokens=len(tokens))
    model(
        input_ids=torch.tensor([list(tokens)], device=model.device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
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
