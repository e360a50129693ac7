"""Generalised advantage estimation over tokens within a turn, and over turns within an episode."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from card24_pipeline.training.rl_params import PpoParams


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
