"""A key-value cache of known length, written in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import Cache, PreTrainedModel


def build_cache(model: PreTrainedModel, *, tokens: int) -> Cache:
    """Return a cache for sequences of up to ``tokens`` tokens.

    transformers' growing cache copies every key and value for each new token, its static one attends to all of the
    reserved length. This one does neither. Layers with a cache of their own kind (sliding windows) keep theirs.
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
                self._stores = [
                    states.new_empty((*states.shape[:-2], tokens, states.shape[-1]))
                    for states in (key_states, value_states)
                ]
            after = before + key_states.shape[-2]
            for store, states in zip(self._stores, (key_states, value_states), strict=True):
                store[..., before:after, :] = states
            self.keys, self.values = (store[..., :after, :] for store in self._stores)
            return self.keys, self.values

        def batch_select_indices(self, indices: torch.Tensor) -> None:
            after = self.get_seq_length()
            self._stores = [store[indices] for store in self._stores]
            self.keys, self.values = (store[..., :after, :] for store in self._stores)

    cache = DynamicCache(config=model.config)
    cache.layers = [PreallocatedLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
