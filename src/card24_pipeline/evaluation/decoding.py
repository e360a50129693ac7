"""Answers to a batch of prompts, token by token: what all begin with is read once, and rows that have ended leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from card24_pipeline.evaluation.preallocated_cache import build_cache
from card24_pipeline.evaluation.shared_attention import knows_attention, read_beginning, share_attention
from card24_pipeline.models.shared_prompt import count_shared

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    # Chooses each row's next token, (rows,) int64, from the logits (rows, vocabulary) and last states (rows, width)
    # that lead to it; told the rows' numbers, (rows,) int64 on the CPU, and how many tokens each has been given.
    Chooser = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, int], torch.Tensor]

# Rows that have ended leave once they are this share of the batch: copying the cache costs about as much as a step.
LEAVING_SHARE = 0.1


def decode(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], choose: Chooser, *, max_new_tokens: int, end: int
) -> list[list[int]]:
    """Return the tokens that are chosen after each prompt, up to the end token, which is kept, or the limit.

    The model is in evaluation mode, and its logits are its output embedding of its body's last states. Where its
    attention is not known, see ``knows_attention``, it keeps that, every prompt is read whole, and no row leaves.
    """
    import torch

    shares, head = knows_attention(model), model.get_output_embeddings()
    said = torch.full((len(prompts), max_new_tokens), end)
    rows, ended = torch.arange(len(prompts)), torch.zeros(len(prompts), dtype=torch.bool)
    with torch.inference_mode(), share_attention(model) if shares else nullcontext():
        reading = _Reading(model, prompts, max_new_tokens=max_new_tokens, filler=end, shares=shares)
        for place in range(max_new_tokens):
            states = reading.go_on()
            tokens = choose(head(states), states, rows, place).cpu()
            said[rows, place] = tokens
            ended |= tokens == end
            if ended.all() or place + 1 == max_new_tokens:
                break
            if shares and ended.sum() >= LEAVING_SHARE * len(rows):
                kept = ended.logical_not().nonzero()[:, 0]
                rows, tokens, ended = rows[kept], tokens[kept], ended[kept]
                reading.keep(kept.to(model.device))
            reading.add(tokens.to(model.device))
    return [row[: row.index(end) + 1] if end in row else row for row in said.tolist()]


def pad_left(rows: Sequence[Sequence[int]], filler: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of one length, and 0 where they are filled and 1 elsewhere."""
    import torch

    width = max(map(len, rows))
    padded = [[filler] * (width - len(row)) + list(row) for row in rows]
    real = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(padded, device=device), torch.tensor(real, device=device)


class _Reading:
    """What rows have yet to read, where it stands, and the cache of what they have read."""

    def __init__(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        filler: int,
        shares: bool,
    ) -> None:
        """Read what the prompts share; the rest of each is next."""
        shared = count_shared(prompts, before=min(map(len, prompts))) if shares else 0
        self._body: Any = model.base_model
        self._ids, mask = pad_left([prompt[shared:] for prompt in prompts], filler, model.device)
        self._positions = (mask.cumsum(-1) - 1).clamp(min=0) + shared
        self._mask = None if mask.all() else mask
        self._more = {"beginning": read_beginning(model, prompts[0][:shared])} if shares else {}
        tokens = self._ids.shape[1] + max_new_tokens
        self._cache = build_cache(model, tokens=tokens, tokens_last=shares and model.device.type == "cpu")

    def go_on(self) -> torch.Tensor:
        """Read, and return the last states, (rows, width)."""
        states: torch.Tensor = self._body(
            input_ids=self._ids,
            attention_mask=self._mask,
            position_ids=self._positions,
            past_key_values=self._cache,
            use_cache=True,
            **self._more,
        ).last_hidden_state
        return states[:, -1]

    def keep(self, rows: torch.Tensor) -> None:
        """Forget all rows but these."""
        self._cache.batch_select_indices(rows)
        self._positions = self._positions[rows]
        self._mask = None if self._mask is None else self._mask[rows]

    def add(self, tokens: torch.Tensor) -> None:
        """Let each row read one more token, (rows,)."""
        import torch

        self._ids, self._positions = tokens[:, None], self._positions[:, -1:] + 1
        if self._mask is not None:
            self._mask = torch.cat([self._mask, torch.ones_like(self._ids)], dim=1)
