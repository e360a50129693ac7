"""Figures of an update, for its row of the history."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from card24_pipeline.game.verdicts import Outcome

if TYPE_CHECKING:
    import torch

    from card24_pipeline.training.ppo_losses import TokenLosses
    from card24_pipeline.training.rollouts import Episode


def describe_episodes(episodes: Sequence[Episode]) -> dict[str, float]:
    """Average what was played: reward, success and turns an episode, outcomes and lengths a turn."""
    outcomes = [outcome for episode in episodes for outcome in episode.outcomes]
    tokens = sum(episode.sampled_tokens for episode in episodes)
    shares = {f"share_{kind.value}": outcomes.count(kind) / len(outcomes) for kind in Outcome}
    return {
        "reward": sum(sum(episode.rewards) for episode in episodes) / len(episodes),
        "success": sum(episode.solved for episode in episodes) / len(episodes),
        **shares,
        "turns": len(outcomes) / len(episodes),
        "answer_tokens": tokens / len(outcomes),
        "cut_share": sum(episode.cut_answers for episode in episodes) / len(outcomes),
        "hands": len(episodes),
        "rollout_tokens": tokens,
    }


def explained_variance(returns: torch.Tensor, values: torch.Tensor) -> float:
    """Return 1 − Var(returns − values) / Var(returns); NaN where all returns are equal but for rounding."""
    import torch

    variance = returns.var(correction=0)
    rounding = (torch.finfo(returns.dtype).eps * returns.abs().max()) ** 2
    return float(1 - (returns - values).var(correction=0) / variance) if variance > rounding else float("nan")


class StepMetrics:
    """Averages over all tokens of an update's gradient steps; gradient norms over its steps."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._sums: dict[str, float] = dict.fromkeys(_AVERAGED, 0.0)
        self._tokens = 0
        self._ratios: list[float] = []
        self._norms: list[float] = []

    def add(self, losses: TokenLosses) -> None:
        """Add the tokens of a micro-batch; KL to the old policy by the estimator ρ − 1 − log ρ."""
        ratio = losses.ratio.detach()
        tokens = {
            "policy_loss": losses.policy,
            "value_loss": losses.value,
            "entropy_nats": losses.entropy,
            "kl_old_nats": ratio - 1 - ratio.log(),
            "kl_anchor_nats": ratio * math.nan if losses.anchor_kl is None else losses.anchor_kl,
            "clip_fraction": losses.clipped.to(ratio.dtype),
        }
        for name, values in tokens.items():
            self._sums[name] += float(values.detach().sum())
        self._tokens += len(ratio)
        self._ratios += [float(ratio.min()), float(ratio.max())]

    def add_gradient_norm(self, norm: float) -> None:
        """Add the norm of one step's gradient before clipping."""
        self._norms.append(norm)

    def summarise(self) -> dict[str, float]:
        """Return the averages and extremes."""
        averages = {name: total / self._tokens for name, total in self._sums.items()}
        return averages | {
            "ratio_min": min(self._ratios),
            "ratio_max": max(self._ratios),
            "gradient_norm": sum(self._norms) / len(self._norms),
        }


_AVERAGED = ("policy_loss", "value_loss", "entropy_nats", "kl_old_nats", "kl_anchor_nats", "clip_fraction")
