"""What PPO holds fixed during an update (generalised advantages among it), and its losses, token by token."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from card24_pipeline.training.policy import token_kl

if TYPE_CHECKING:
    import torch

    from card24_pipeline.training.policy import TokenEvaluation
    from card24_pipeline.training.rl_params import KlParams, PpoParams
    from card24_pipeline.training.rollout_batch import RolloutBatch


@dataclass(frozen=True)
class Prepared:
    """A micro-batch with what is fixed during an update; each tensor is (N,) over its sampled tokens."""

    batch: RolloutBatch
    old_log_probabilities: torch.Tensor
    old_values: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor


@dataclass(frozen=True)
class TokenLosses:
    """Losses of a micro-batch, each tensor (N,) over its sampled tokens; KL (None without an anchor) in nats."""

    policy: torch.Tensor
    value: torch.Tensor
    entropy: torch.Tensor
    anchor_kl: torch.Tensor | None
    ratio: torch.Tensor
    clipped: torch.Tensor


def prepare_batch(
    batch: RolloutBatch, values: torch.Tensor, last_values: torch.Tensor | None, settings: PpoParams
) -> Prepared:
    """Estimate advantages and returns from the values that the critic gave before the update.

    Only a truncated episode goes on after its last token; every other one ends there, with a value of 0.

    Args:
        values: (N,), before each sampled token.
        last_values: (E,), after each episode's last token; None where no episode is truncated.
    """
    import torch

    laid = torch.zeros_like(batch.rewards, dtype=values.dtype)
    laid[batch.valid] = values
    bootstrap = laid.new_zeros(len(laid)) if last_values is None else torch.where(batch.truncated, last_values, 0)
    advantages = estimate_advantages(
        batch.rewards.to(laid.dtype),
        laid,
        bootstrap,
        sampled=batch.valid,
        ends_turn=batch.ends_turn,
        settings=settings,
    )[batch.valid]
    return Prepared(batch, batch.sampler_log_probabilities, values, advantages, advantages + values)


def estimate_advantages(
    rewards: torch.Tensor,
    values: torch.Tensor,
    bootstrap: torch.Tensor,
    *,
    sampled: torch.Tensor,
    ends_turn: torch.Tensor,
    settings: PpoParams,
) -> torch.Tensor:
    """Return the advantage of every sampled token (Schulman et al. 2015, arXiv 1506.02438, eq. 16).

    One recursion from the last token of an episode to its first,

        A_t = r_t + γ_t V(s_{t+1}) − V(s_t) + γ_t λ_t A_{t+1},

    where (γ_t, λ_t) is (``gamma_token``, ``lambda_token``) between two tokens of one turn and (``gamma_turn``,
    ``lambda_turn``) from the last token of a turn to what follows it. After the last token A_{t+1} is 0 and
    V(s_{t+1}) is ``bootstrap``. Rows are episodes, so nothing can pass from one hand to another.

    Args:
        rewards: Shape (episodes, tokens), 0 except at the last token of a turn.
        values: V(s_t) before each token is sampled, same shape.
        bootstrap: Shape (episodes,): 0 for an episode that has ended, V of the next state for a truncated one.
        sampled: Boolean, same shape as ``rewards``: where a row holds a token; tokens stand at the row's left.
        ends_turn: Boolean, same shape: the last token of each turn.
        settings: The four discounts.

    Returns:
        Same shape and dtype as ``values``; 0 where nothing was sampled.
    """
    import torch

    discount = torch.full_like(values, settings.gamma_token)
    discount[ends_turn] = settings.gamma_turn
    trace = torch.full_like(values, settings.lambda_token)
    trace[ends_turn] = settings.lambda_turn
    advantages = torch.zeros_like(values)
    next_value, next_advantage = bootstrap.to(values.dtype), torch.zeros_like(bootstrap, dtype=values.dtype)
    for place in reversed(range(values.shape[1])):
        here = sampled[:, place]
        error = rewards[:, place] + discount[:, place] * next_value - values[:, place]
        advantage = error + discount[:, place] * trace[:, place] * next_advantage
        advantages[:, place] = torch.where(here, advantage, 0)
        next_advantage = torch.where(here, advantage, next_advantage)
        next_value = torch.where(here, values[:, place], next_value)
    return advantages


def normalise_advantages(prepared: Sequence[Prepared]) -> list[Prepared]:
    """Shift and scale the advantages of all sampled tokens of an update to mean 0 and standard deviation 1."""
    import torch

    everything = torch.cat([each.advantages for each in prepared])
    # Where all are equal, what rounding leaves of them (1e-7) must not be scaled up to a signal: a floor of 1e-4.
    mean, deviation = everything.mean(), (everything.var(correction=0) + 1e-8).sqrt()
    return [replace(each, advantages=(each.advantages - mean) / deviation) for each in prepared]


def token_losses(
    seen: TokenEvaluation, fixed: Prepared, settings: PpoParams, *, anchor: torch.Tensor | None
) -> TokenLosses:
    """Return the losses of every sampled token.

    The policy's is the clipped surrogate, -min(ρ A, clip(ρ, 1 ± ε) A) (Schulman et al. 2017, arXiv 1707.06347,
    eq. 7); the value's half the larger of the squared errors with and without clipping the value's change.
    ``seen`` is of now, ``fixed`` of before the update; ``anchor`` the anchor's log-distribution, (N, vocabulary).
    """
    import torch

    ratio = (seen.log_probabilities - fixed.old_log_probabilities).exp()
    low, high = 1 - settings.clip_range, 1 + settings.clip_range
    surrogate = torch.minimum(ratio * fixed.advantages, ratio.clamp(low, high) * fixed.advantages)
    change = (seen.values - fixed.old_values).clamp(-settings.value_clip_range, settings.value_clip_range)
    errors = [(values - fixed.returns).square() for values in (seen.values, fixed.old_values + change)]
    return TokenLosses(
        policy=-surrogate,
        value=0.5 * torch.maximum(*errors),
        entropy=seen.entropies,
        anchor_kl=None if anchor is None else token_kl(seen.log_distribution, anchor),
        ratio=ratio,
        clipped=(ratio < low) | (ratio > high),
    )


def weigh_losses(losses: TokenLosses, settings: PpoParams, kl: KlParams) -> torch.Tensor:
    """Return what is minimised, (N,) over the sampled tokens."""
    total = losses.policy + settings.value_coefficient * losses.value - settings.entropy_coefficient * losses.entropy
    return total if losses.anchor_kl is None else total + kl.coefficient * losses.anchor_kl


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
        self.gradient_norms: list[float] = []
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._tokens = 0
        self._ratios: list[float] = []

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

    def summarise(self) -> dict[str, float]:
        """Return the averages and extremes."""
        return {name: total / self._tokens for name, total in self._sums.items()} | {
            "ratio_min": min(self._ratios),
            "ratio_max": max(self._ratios),
            "gradient_norm": sum(self.gradient_norms) / len(self.gradient_norms),
        }
