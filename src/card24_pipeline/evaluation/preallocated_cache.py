"""A key-value cache of known length, written in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import Cache, PreTrainedModel


def build_cache(model: PreTrainedModel, *, tokens: int, tokens_last: bool = False) -> Cache:
    """Return a cache for sequences of up to ``tokens`` tokens.

    transformers' growing cache copies every key and value for each new token, its static one attends to all of the
    reserved length. This one does neither. Layers with a cache of their own kind (sliding windows) keep theirs. With
    ``tokens_last`` a token's neighbour in memory is the next token and not the next entry, which products of one query
    with all keys and values of a row read at twice the speed.
    """
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    class PreallocatedLayer(DynamicLayer):
        def update(
            self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
        ) -> tuple[torch.Tensor, torch.Tensor]:
            before = self.get_seq_length()
            if not self.is_initialized:
                self.lazy_initialization(key_states, value_states)
                self._stores = [self._reserve(states) for states in (key_states, value_states)]
            after = before + key_states.shape[-2]
            for store, states in zip(self._stores, (key_states, value_states), strict=True):
                store[..., before:after, :] = states
            self.keys, self.values = (store[..., :after, :] for store in self._stores)
            return self.keys, self.values

        def _reserve(self, states: torch.Tensor) -> torch.Tensor:
            *rows_and_heads, _, width = states.shape
            if tokens_last:
                return states.new_empty((*rows_and_heads, width, tokens)).transpose(-1, -2)
            return states.new_empty((*rows_and_heads, tokens, width))

        def batch_select_indices(self, indices: torch.Tensor) -> None:
            after = self.get_seq_length()
            self._stores = [
                store.mT[indices].mT if tokens_last else store[indices]  # indexing would lay the memory out anew
                for store in self._stores
            ]
            self.keys, self.values = (store[..., :after, :] for store in self._stores)

    cache = DynamicCache(config=model.config)
    cache.layers = [PreallocatedLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
