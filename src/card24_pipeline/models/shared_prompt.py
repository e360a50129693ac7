"""Reading once what all rows of a batch begin with: rules and instructions are most of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

_LEAST_SHARED = 2  # a single token is read faster again than apart


def count_shared(rows: Sequence[Sequence[int]], *, before: int) -> int:
    """Return how many tokens at the start of all rows may be read once.

    Args:
        rows: Token ids of each row.
        before: First place whose token is to be predicted in any row. The state that predicts it is each row's own,
            so at most ``before - 1`` tokens are shared.

    Returns:
        0 when there is one row, or when so few tokens are shared that reading them apart saves nothing.
    """
    first, last = min(map(list, rows)), max(map(list, rows))  # in alphabetical order; what these share, all share
    shared = next((place for place in range(before - 1) if first[place] != last[place]), before - 1)
    return shared if shared >= _LEAST_SHARED and len(rows) > 1 else 0


def can_share(body: PreTrainedModel) -> bool:
    """Say whether training may: every layer of the model keeps all keys and values, and no chance acts on them.

    Sliding windows, recurrent states and the like are read row by row, and so are models with dropout, which must
    draw for each row.
    """
    import torch
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    layers = DynamicCache(config=body.config).layers
    dropout = [module.p for module in body.modules() if isinstance(module, torch.nn.Dropout)]
    dropout += [getattr(body.config, name, None) or 0.0 for name in ("attention_dropout", "attn_pdrop")]
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers) and not any(dropout)


def read_states(body: PreTrainedModel, input_ids: torch.Tensor, wanted: torch.Tensor, *, shares: bool) -> torch.Tensor:
    """Return the last hidden state before each wanted token, (N, width), ordered by row and then by place.

    What all rows begin with is read in the first row alone if ``shares``, see :func:`can_share`; gradients flow
    through it.

    Args:
        input_ids: (rows, tokens) int64, padded on the right, so causal attention needs no mask for it.
        wanted: (rows, tokens) bool; tokens that the model is to predict, none of them a row's first.
    """
    shared = count_shared(input_ids.tolist(), before=int(wanted.any(0).int().argmax())) if shares else 0
    states = _read_rows(body, input_ids[:, :-1], shared=shared)  # nothing follows the last token
    return states.flatten(0, 1).index_select(0, wanted[:, shared + 1 :].flatten().nonzero()[:, 0])


def _read_rows(body: PreTrainedModel, input_ids: torch.Tensor, *, shared: int) -> torch.Tensor:
    """Return the last hidden states of each row from place ``shared`` on, (rows, tokens - shared, width)."""
    import torch
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    if shared == 0:
        states: torch.Tensor = body(input_ids=input_ids, use_cache=False).last_hidden_state
        return states

    class SharedLayer(DynamicLayer):
        """Lays the keys and values of the first row before those of every row, without a copy in between."""

        def __init__(self, first: DynamicLayer) -> None:
            super().__init__()
            self.lazy_initialization(first.keys, first.values)
            self.keys, self.values = first.keys, first.values

        def update(
            self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
        ) -> tuple[torch.Tensor, torch.Tensor]:
            return lay_before(self.keys, key_states), lay_before(self.values, value_states)

    def lay_before(first: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
        return torch.cat([first.expand(len(rest), -1, -1, -1), rest], dim=-2)

    cache = DynamicCache(config=body.config)
    body(input_ids=input_ids[:1, :shared], past_key_values=cache, use_cache=True)
    cache.layers = [SharedLayer(layer) for layer in cache.layers]
    rest: torch.Tensor = body(input_ids=input_ids[:, shared:], past_key_values=cache, use_cache=True).last_hidden_state
    return rest
