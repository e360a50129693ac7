"""The reinforcement-learning runs: how each went, and whether it counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from card24_pipeline.reporting.rl_contrasts import ARMS
from card24_pipeline.reporting.tables import read_rows

MIN_UPDATES = 60
MIN_HANDS_PER_UPDATE = 256
"""Bounds set before the study was run. Trials of 20 to 60 updates of 256 hands moved pass@1 on ID hands; a smaller run
that changes nothing says nothing on what RL can restore."""

REWARD_WINDOW = 10
"""Updates at either end over which figures are averaged: one update's reward is too noisy."""

SPLIT_TITLES = {"ood": "OOD", "id_seen": "ID, multisets of SFT", "id_heldout": "ID, held out"}


def average_passes(hands: pd.DataFrame, step: str) -> pd.DataFrame:
    """Return ``pass_at_1`` by ``seed``, the column ``step`` and ``split``."""
    return hands.groupby(["seed", step, "split"])["passed"].mean().rename("pass_at_1").reset_index()


def summarise_runs(
    selected: pd.DataFrame,
    sft_hands: pd.DataFrame,
    rl_scores: Mapping[str, pd.DataFrame],
    rl_history: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Summarise every run: how long it was, what became of its reward, and pass@1 before and after.

    Args:
        selected: Columns ``seed``, ``role``, ``step``.
        sft_hands: Graded hands of every seed and SFT step.
        rl_scores: By arm, one row per seed, ``from_step``, split and acquaintance.
        rl_history: By arm, one row per seed, ``from_step`` and update; ``hands`` counts from the run's start.

    Returns:
        One row per seed, arm and role; a run whose SFT step has two roles has two rows. ``counts`` is true of a run
        of at least ``MIN_UPDATES`` updates of ``MIN_HANDS_PER_UPDATE`` hands whose reward rose. ``hands_per_update``
        are the answers sampled to hands, which with GRPO and RLOO are several to one hand (the episodes, where PPO
        plays several tries).

        - Mean of the first or last ``REWARD_WINDOW`` updates: ``reward_first``, ``reward_last`` and their difference
          ``reward_rise``; of the last ones only: ``explained_variance`` of the critic, ``clip_fraction``.
        - First or last update alone: ``entropy_first_nats``, ``entropy_last_nats``.
        - Last update alone (nats a token): ``kl_anchor_nats`` over its gradient steps, and ``kl_start_nats`` before
          these steps, which PPO measures on the update's first micro-batch.
        - The scored model: pass@1 ``<split>_before`` and ``<split>_after``, ``ood_card_to_number``, and
          ``kl_base_nats``, which is KL(base‖model) on the answers to ID hands (nats a token).

        A figure that an algorithm lacks is NaN.
    """
    before = average_passes(sft_hands, "step").set_index(["seed", "step", "split"])["pass_at_1"].to_dict()
    rows = []
    for arm in ARMS:
        chosen = rl_scores[arm][rl_scores[arm]["base_met_multiset"] == "all"]
        scores = {(row["seed"], row["from_step"], row["split"]): row for row in read_rows(chosen)}
        histories = dict(iter(rl_history[arm].groupby(["seed", "from_step"])))
        for start in read_rows(selected):
            run = start["seed"], start["step"]
            if run not in histories:
                continue
            passes = {
                f"{split}_{when}": value
                for split in SPLIT_TITLES
                for when, value in (("before", before[*run, split]), ("after", scores[*run, split]["pass_at_1"]))
            }
            ood = scores[*run, "ood"]
            rows.append(
                {"seed": run[0], "arm": arm, "role": start["role"], "from_step": run[1]}
                | _summarise_history(histories[run])
                | {
                    "kl_base_nats": ood["forward_kl_nats"],
                    "ood_card_to_number": ood["card_to_number_accuracy"],
                    **passes,
                }
            )
    return pd.DataFrame(rows)


def _summarise_history(history: pd.DataFrame) -> dict[str, Any]:
    """Summarise one run's updates."""
    updates = history.sort_values("update")
    rewards = updates["reward"]
    first, last = float(rewards.head(REWARD_WINDOW).mean()), float(rewards.tail(REWARD_WINDOW).mean())
    hands_per_update = int(updates["hands"].iloc[-1]) // len(updates)
    return {
        "updates": len(updates),
        "hands_per_update": hands_per_update,
        "reward_first": first,
        "reward_last": last,
        "reward_rise": last - first,
        "counts": len(updates) >= MIN_UPDATES and hands_per_update >= MIN_HANDS_PER_UPDATE and last > first,
        "entropy_first_nats": float(updates["entropy_nats"].iloc[0]),
        "entropy_last_nats": float(updates["entropy_nats"].iloc[-1]),
        "kl_start_nats": float(updates["kl_start_nats"].iloc[-1]),
        "kl_anchor_nats": float(updates["kl_anchor_nats"].iloc[-1]),
        "explained_variance": float(updates["explained_variance"].tail(REWARD_WINDOW).mean()),
        "clip_fraction": float(updates["clip_fraction"].tail(REWARD_WINDOW).mean()),
    }
