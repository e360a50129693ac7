"""Episodes as tensors: rows padded on the right, and what each sampled token earned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from card24_pipeline.training.rollouts import Episode


@dataclass(frozen=True)
class RolloutBatch:
    """A micro-batch of E episodes with T tokens in the longest, and N sampled tokens in all, at most S in one.

    The N sampled tokens are ordered by episode and then by time wherever they stand in one row of numbers.

    Attributes:
        input_ids: (E, T) int64; padded on the right, so causal attention needs no mask for it.
        sampled: (E, T) bool; which tokens the policy sampled.
        lengths: (E,) int64; tokens of each episode.
        sampler_log_probabilities: (N,), in nats.
        sampler_values: (N,), of the state before each token; None where the sampler did not look.
        valid: (E, S) bool; where a row of sampled tokens, moved to its left, holds one.
        rewards: (E, S) float32; each turn's reward at its last token.
        ends_turn: (E, S) bool; the last token of each turn.
        truncated: (E,) bool; episodes that the budget ended.
    """

    episodes: Sequence[Episode]
    input_ids: torch.Tensor
    sampled: torch.Tensor
    lengths: torch.Tensor
    sampler_log_probabilities: torch.Tensor
    sampler_values: torch.Tensor | None
    valid: torch.Tensor
    rewards: torch.Tensor
    ends_turn: torch.Tensor
    truncated: torch.Tensor

    @property
    def tokens(self) -> int:
        """N, the sampled tokens of all episodes."""
        return len(self.sampler_log_probabilities)

    def name_hand(self, token: int) -> str:
        """Name the hand that the given one of the N sampled tokens belongs to."""
        row = int(self.valid.nonzero()[token, 0])
        return str(self.episodes[row].hand)


def collate_episodes(
    episodes: Sequence[Episode], *, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> RolloutBatch:
    """Lay episodes out as tensors; the last token of a turn earns its reward. ValueError if there are no episodes.

    ``dtype`` is of what the sampler saw, float32 unless told otherwise.
    """
    import torch

    if not episodes:
        raise ValueError("there are no episodes: the batch is empty")
    turns = [[turn for turn in episode.turns if turn >= 0] for episode in episodes]
    # A turn ends where the next token belongs to another one; -1 stands after the last.
    ends = [[turn != after for turn, after in zip(row, [*row[1:], -1], strict=True)] for row in turns]
    rewards = [
        [episode.rewards[turn] if end else 0.0 for turn, end in zip(row, row_ends, strict=True)]
        for episode, row, row_ends in zip(episodes, turns, ends, strict=True)
    ]

    def lay(row: Sequence[Any], dtype: torch.dtype) -> torch.Tensor:
        return torch.tensor(row, dtype=dtype, device=device)

    def pad(rows: Sequence[Sequence[float]], dtype: torch.dtype, value: float = 0) -> torch.Tensor:
        width = max(map(len, rows))
        return lay([[*row, *[value] * (width - len(row))] for row in rows], dtype)

    scores = [score for episode in episodes for score in episode.sampler_log_probabilities]
    values = [value for episode in episodes for value in episode.sampler_values]
    return RolloutBatch(
        episodes=episodes,
        input_ids=pad([episode.ids for episode in episodes], torch.int64),
        sampled=pad([episode.turns for episode in episodes], torch.int64, -1) >= 0,
        lengths=lay([len(episode.ids) for episode in episodes], torch.int64),
        sampler_log_probabilities=lay(scores, dtype or torch.float32),
        sampler_values=lay(values, dtype or torch.float32) if values else None,
        valid=pad(turns, torch.int64, -1) >= 0,
        rewards=pad(rewards, torch.float32),
        ends_turn=pad(ends, torch.bool, False),
        truncated=lay([episode.truncated for episode in episodes], torch.bool),
    )
