"""Answers sampled from a policy, token by token, with a key-value cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from card24_pipeline.evaluation.preallocated_cache import build_cache
from card24_pipeline.models.shared_prompt import can_share
from card24_pipeline.models.token_attention import attend_by_products
from card24_pipeline.training.rl_params import RolloutParams
from card24_pipeline.training.rl_run import Hand, RlError

if TYPE_CHECKING:
    import torch
    from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase

_LEAVE_BELOW = 0.75  # share of rows still in play at which the others are worth a copy of the cache


@dataclass(frozen=True)
class SampledAnswer:
    """A sampled answer: its token ids with the end token, their log-probabilities in nats, whether it was cut.

    ``values`` are of the state before each token, as a value head saw it; empty where there was none.
    """

    ids: list[int]
    log_probabilities: list[float]
    cut: bool
    values: list[float] = field(default_factory=list)


class AnswerSampler:
    """Samples one answer to each of several conversations side by side.

    Each answer has numbers of chance of its own, drawn beforehand, so that what one row says does not depend on when
    another ends.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        settings: RolloutParams,
        *,
        generator: torch.Generator,
        value_head: torch.nn.Linear | None,
    ) -> None:
        """Take what ``play_episodes`` takes."""
        self._model, self._body, self._settings = model, model.base_model, settings
        self._head, self._value_head = model.get_output_embeddings(), value_head
        self._pad, self._end = tokenizer.pad_token_id, tokenizer.eos_token_id
        self._generator = generator
        self._forgets = can_share(self._body)

    def sample(self, conversations: Sequence[list[int]], hands: Sequence[Hand]) -> list[SampledAnswer]:
        """Sample until every answer has ended or the limit is reached.

        Raises:
            RlError: If a logit is not finite; the error names the hand.
        """
        import torch

        rows, limit = len(conversations), self._settings.max_new_tokens
        # The source of chance is the CPU's, so that only rounding makes one device sample other than another.
        chance = torch.rand(rows, limit, dtype=torch.float64, generator=self._generator)
        drawn = torch.full((rows, limit), self._end)
        seen = torch.zeros(2, rows, limit, dtype=torch.float64)  # log-probabilities and values
        alive, over = torch.arange(rows), torch.zeros(rows, dtype=torch.bool)
        with torch.inference_mode(), attend_by_products(self._model):
            states, reading = self._read(conversations)
            for place in range(limit):
                logits = self._head(states)
                _check_logits(logits, alive, hands)
                logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
                distribution = (logits / self._settings.temperature).log_softmax(-1).cpu()
                tokens = draw(distribution, chance[alive, place])
                drawn[alive, place] = torch.where(over[alive], self._end, tokens)
                seen[0, alive, place] = distribution.gather(1, tokens[:, None])[:, 0].double()
                if self._value_head is not None:
                    seen[1, alive, place] = self._value_head(states)[:, 0].cpu().double()
                over[alive] |= tokens == self._end
                if over.all() or place == limit - 1:
                    break
                if self._forgets and (~over).sum() < _LEAVE_BELOW * len(alive):
                    kept = (~over[alive]).nonzero()[:, 0]
                    alive, tokens = alive[kept], tokens[kept]
                    reading.keep(kept.to(states.device))
                states = reading.go_on(self._body, tokens[:, None].to(states.device))
        return self._tidy(drawn, seen, over)

    def _read(self, conversations: Sequence[list[int]]) -> tuple[torch.Tensor, Reading]:
        """Read the conversations; return the last states, (rows, width), and where reading stands.

        What all begin with is read once. The rest is padded on the left, between the two.
        """
        import torch

        device = self._model.device
        longest = max(map(len, conversations))
        reading = Reading(build_cache(self._model, tokens=longest + self._settings.max_new_tokens))
        shared = _count_shared(conversations) if self._forgets else 0
        if shared:
            first = torch.tensor([conversations[0][:shared]], device=device)
            once = build_cache(self._model, tokens=shared)
            self._body(input_ids=first, past_key_values=once, use_cache=True)
            reading.begin_with(once, rows=len(conversations))
        own = [[self._pad] * (longest - len(ids)) + ids[shared:] for ids in conversations]
        real = [[1] * shared + [0] * (longest - len(ids)) + [1] * (len(ids) - shared) for ids in conversations]
        mask = torch.tensor(real, device=device)
        reading.mask = None if mask.all() else mask
        return reading.go_on(self._body, torch.tensor(own, device=device)), reading

    def _tidy(self, drawn: torch.Tensor, seen: torch.Tensor, over: torch.Tensor) -> list[SampledAnswer]:
        answers = []
        for row, scores, values, ended in zip(drawn.tolist(), *seen.tolist(), over.tolist(), strict=True):
            length = row.index(self._end) + 1 if ended else len(row)
            kept = [] if self._value_head is None else values[:length]
            answers.append(SampledAnswer(row[:length], scores[:length], not ended, kept))
        return answers


class Reading:
    """How far rows have been read.

    Attributes:
        mask: (rows, tokens) int64, what of all that was read and is read next is no padding; None where nothing is.
    """

    def __init__(self, cache: Cache) -> None:
        """Begin with nothing, in an empty cache."""
        self.mask: torch.Tensor | None = None
        self._cache, self._began = cache, False

    def go_on(self, body: PreTrainedModel, tokens: torch.Tensor) -> torch.Tensor:
        """Read the first part of each row, (rows, tokens), and from then on a token of each; return the last states."""
        import torch

        where = {}
        if self.mask is not None:
            if self._began:
                self.mask = torch.cat([self.mask, torch.ones_like(tokens)], dim=1)
            positions = (self.mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
            where = {"attention_mask": self.mask, "position_ids": positions}
        self._began = True
        states: torch.Tensor = body(
            input_ids=tokens, past_key_values=self._cache, use_cache=True, **where
        ).last_hidden_state
        return states[:, -1]

    def keep(self, rows: torch.Tensor) -> None:
        """Forget all rows but these."""
        self._cache.batch_select_indices(rows)
        self.mask = None if self.mask is None else self.mask[rows]

    def begin_with(self, once: Cache, *, rows: int) -> None:
        """Begin every row with what a cache of one row holds."""
        for layer, read in zip(self._cache.layers, once.layers, strict=True):
            layer.update(*(states.expand(rows, -1, -1, -1) for states in (read.keys, read.values)))


def _count_shared(conversations: Sequence[list[int]]) -> int:
    """Return how many tokens all begin with, at least one of each left out; 0 for a single one."""
    if len(conversations) == 1:
        return 0
    together = enumerate(zip(*conversations, strict=False))
    shortest = min(map(len, conversations))
    return min(shortest - 1, next((place for place, tokens in together if len(set(tokens)) > 1), shortest))


def draw(distribution: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
    """Draw a token from each log-distribution, (rows, vocabulary), by a number in [0, 1): where its sum passes it."""
    import torch

    sums = distribution.double().exp().cumsum(-1)
    places = torch.searchsorted(sums, (chance * sums[:, -1])[:, None], right=True)[:, 0]
    return places.clamp(max=distribution.shape[1] - 1)


def _check_logits(logits: torch.Tensor, rows: torch.Tensor, hands: Sequence[Hand]) -> None:
    """Check that every row that is read has finite logits, one that has ended included."""
    sound = logits.isfinite().all(-1).cpu()
    if not sound.all():
        hand = hands[int(rows[(~sound).nonzero()[0, 0]])]
        raise RlError(f"the policy's logits are not finite while it answers {hand}")
