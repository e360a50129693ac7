"""Answers sampled from a policy, token by token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from card24_pipeline.evaluation.decoding import decode
from card24_pipeline.training.rl_params import RolloutParams
from card24_pipeline.training.rl_run import Hand, RlError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
        self._model, self._settings, self._value_head = model, settings, value_head
        self._end, self._generator = tokenizer.eos_token_id, generator

    def sample(self, conversations: Sequence[list[int]], hands: Sequence[Hand]) -> list[SampledAnswer]:
        """Sample until every answer has ended or the limit is reached.

        Raises:
            RlError: If a logit is not finite; the error names the hand.
        """
        import torch

        count, limit = len(conversations), self._settings.max_new_tokens
        # The source of chance is the CPU's, so that only rounding makes one device sample other than another.
        chance = torch.rand(count, limit, dtype=torch.float64, generator=self._generator)
        scores, values = torch.zeros(2, count, limit, dtype=torch.float64)

        def choose(logits: torch.Tensor, states: torch.Tensor, rows: torch.Tensor, place: int) -> torch.Tensor:
            _check_logits(logits, rows, hands)
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            distribution = (logits / self._settings.temperature).log_softmax(-1).cpu()
            tokens = draw(distribution, chance[rows, place])
            scores[rows, place] = distribution.gather(1, tokens[:, None])[:, 0].double()
            if self._value_head is not None:
                values[rows, place] = self._value_head(states)[:, 0].cpu().double()
            return tokens

        answers = decode(self._model, conversations, choose, max_new_tokens=limit, end=self._end)
        return [
            SampledAnswer(
                ids, row[: len(ids)], self._end not in ids, [] if self._value_head is None else seen[: len(ids)]
            )
            for ids, row, seen in zip(answers, scores.tolist(), values.tolist(), strict=True)
        ]


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
