"""What every reinforcement-learning run is given and what it leaves, whichever algorithm it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.game.answers import grade_answer
from card24_pipeline.game.prompts import AnswerStyle, PromptLayout
from card24_pipeline.game.rewards import RewardTable
from card24_pipeline.game.verdicts import Outcome, Verdict
from card24_pipeline.training.rl_params import KlParams, RlParams

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

HISTORY_COLUMNS = (
    "update",
    "reward",
    "success",
    *(f"share_{outcome.value}" for outcome in Outcome),
    "turns",
    "answer_tokens",
    "cut_share",
    "policy_loss",
    "value_loss",
    "entropy_nats",
    "kl_old_nats",
    "kl_start_nats",
    "kl_anchor_nats",
    "clip_fraction",
    "ratio_min",
    "ratio_max",
    "explained_variance",
    "gradient_norm",
    "learning_rate",
    "sampler_drift_nats",
    "hands",
    "rollout_tokens",
    "flops",
)
"""Columns of a run's history; a figure that an algorithm does not have is NaN. ``hands``, ``rollout_tokens`` and
``flops`` count from the start of the run, everything else is of one update. PPO measures ``kl_start_nats`` on the
update's first micro-batch."""


class RlError(FloatingPointError):
    """A run met a figure that is not finite; the message names the update, the hand and the last good state."""


@dataclass(frozen=True)
class Hand:
    """A hand to be played: its prompt, the cards' numbers and the target."""

    identity: int
    cards: str
    prompt: str
    values: tuple[int, ...]
    target: int


@dataclass(frozen=True)
class CardTask:
    """The hands of a run, and how their answers are written, judged and rewarded."""

    hands: Sequence[Hand]
    layout: PromptLayout
    style: AnswerStyle
    rewards: RewardTable

    def judge(self, answer: str, hand: Hand) -> tuple[Verdict, float]:
        """Return the verdict on an answer, and its reward.

        Raises:
            RlError: If the reward is not finite.
        """
        verdict = grade_answer(answer, hand.values, hand.target, layout=self.layout, style=self.style)
        reward = self.rewards.reward(verdict)
        if not math.isfinite(reward):
            raise RlError(f"the reward of hand {hand.identity} ({hand.cards}) is {reward}")
        return verdict, reward


@dataclass(frozen=True)
class RlRun:
    """What a run leaves behind: a row of ``HISTORY_COLUMNS`` for each update, and how fast this process went."""

    history: list[dict[str, float]]
    timings: dict[str, float]


@dataclass(frozen=True)
class RlSetup:
    """Everything that decides a run.

    Attributes:
        model: The policy, float32 and in evaluation mode (no dropout: ratios would not start at 1); all parameters are
            trained, in place and on its device.
        tokenizer: Its tokenizer.
        task: Hands, their judge and rewards.
        settings: Rollouts, optimisation and the algorithm's own settings, see ``RlParams.check_algorithm``.
        kl: Weight of the KL penalty toward ``anchor``.
        anchor: A model of the same vocabulary and on the same device that is not trained, or None.
        seed: Order of the hands, what is sampled, and the order of minibatches.

    Raises:
        ValueError: If ``kl`` wants an anchor that was not given.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    task: CardTask
    settings: RlParams
    kl: KlParams
    anchor: PreTrainedModel | None
    seed: int

    def __post_init__(self) -> None:
        """Check that the anchor is there."""
        if self.kl.anchor != "none" and self.anchor is None:
            raise ValueError(f"a KL penalty toward '{self.kl.anchor}' needs that model")


Trainer = Callable[[RlSetup, Path], RlRun]
"""The ``train`` of an algorithm's module: trains in a private folder.

Training state goes to its sub-folder ``state`` every ``resume_every_updates``; when there is one, training continues
from it and ends with the same bytes as an unbroken run. Raises ValueError if there are no hands or one does not fit
into the model's context, and RlError if a reward, loss, logit or gradient is not finite.
"""
