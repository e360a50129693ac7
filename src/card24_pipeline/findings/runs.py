"""The reinforcement-learning runs: how each went, and whether it counts."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.findings.reading import RUN
from card24_pipeline.study.vocabulary import ALL_HANDS

MIN_UPDATES = 60
MIN_HANDS_PER_UPDATE = 256
"""Bounds set before the study was run. Trials of 20 to 60 updates of 256 hands moved pass@1 on ID hands; a smaller run
that changes nothing says nothing on what RL can restore."""

REWARD_WINDOW = 10
"""Updates at either end over which figures are averaged: one update's reward is too noisy."""


def summarise_runs(history: pd.DataFrame, scores: pd.DataFrame, starts: pd.DataFrame, ood: str) -> pd.DataFrame:
    """Summarise every run: how long it was, what became of its reward, and how far the model moved.

    Args:
        history: One row per ``seed``, ``rl_arm``, ``sft_arm``, ``from_step`` and update; ``hands`` is a running total.
        scores: One row per ``seed``, ``rl_arm``, ``from_step``, split and group of hands.
        starts: ``RUN`` and ``role``.
        ood: Name of the OOD split.

    Returns:
        One row per ``seed``, ``rl_arm`` and ``role``; a run whose SFT step has two roles has two rows. ``counts`` is
        true of a run of at least ``MIN_UPDATES`` updates of ``MIN_HANDS_PER_UPDATE`` hands whose reward rose.
        ``hands_per_update`` are the answers sampled to hands, which with GRPO and RLOO are several to one hand.

        - Mean of the first or last ``REWARD_WINDOW`` updates: ``reward_first``, ``reward_last`` and their difference
          ``reward_rise``; of the last ones only: ``explained_variance`` of the critic, ``clip_fraction``.
        - First or last update alone: ``entropy_first_nats``, ``entropy_last_nats``.
        - Last update alone (nats a token): ``kl_anchor_nats`` over its gradient steps, and ``kl_start_nats`` before
          these steps, which PPO measures on the update's first micro-batch.
        - The scored model: ``ood_card_to_number``, and ``kl_base_nats``, KL(base‖model) on the answers to ID hands
          (nats a token).

        A figure that an algorithm lacks is NaN.
    """
    summaries = pd.DataFrame(
        {**dict(zip(RUN, key, strict=True)), **_summarise_history(updates)}
        for key, updates in history.groupby(RUN, sort=False)
    )
    if summaries.empty:
        return pd.DataFrame(columns=["seed", "rl_arm", "role", "counts"])
    whole = scores[(scores["base_met_multiset"] == ALL_HANDS) & (scores["split"] == ood)]
    measured = whole.rename(
        columns={"forward_kl_nats": "kl_base_nats", "card_to_number_accuracy": "ood_card_to_number"}
    )[["seed", "rl_arm", "from_step", "kl_base_nats", "ood_card_to_number"]]
    table = summaries.merge(starts, on=RUN).merge(measured, on=["seed", "rl_arm", "from_step"])
    first = ["seed", "rl_arm", "role", "from_step", "sft_arm"]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def _summarise_history(history: pd.DataFrame) -> dict[str, Any]:
    """Summarise one run's updates."""
    updates = history.sort_values("update")
    first, last = (
        updates.head(REWARD_WINDOW).mean(numeric_only=True),
        updates.tail(REWARD_WINDOW).mean(numeric_only=True),
    )
    rise = float(last["reward"] - first["reward"])
    hands_per_update = int(updates["hands"].iloc[-1]) // len(updates)
    return {
        "updates": len(updates),
        "hands_per_update": hands_per_update,
        "reward_first": float(first["reward"]),
        "reward_last": float(last["reward"]),
        "reward_rise": rise,
        "counts": len(updates) >= MIN_UPDATES and hands_per_update >= MIN_HANDS_PER_UPDATE and rise > 0,
        "entropy_first_nats": float(updates["entropy_nats"].iloc[0]),
        "entropy_last_nats": float(updates["entropy_nats"].iloc[-1]),
        "kl_start_nats": float(updates["kl_start_nats"].iloc[-1]),
        "kl_anchor_nats": float(updates["kl_anchor_nats"].iloc[-1]),
        "explained_variance": float(last["explained_variance"]),
        "clip_fraction": float(last["clip_fraction"]),
    }
