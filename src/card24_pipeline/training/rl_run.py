"""What every reinforcement-learning run is given and what it leaves, whichever algorithm it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

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


class Trainer(Protocol):
    """The ``train`` of an algorithm's module."""

    def __call__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        task: CardTask,
        settings: RlParams,
        *,
        kl: KlParams,
        anchor: PreTrainedModel | None,
        seed: int,
        progress: Path,
    ) -> RlRun:
        """Train ``model`` in place, on its device, on the hands of ``task``.

        Training state goes to ``progress/state`` every ``resume_every_updates``; when the folder holds one, training
        continues from it and ends with the same bytes as an unbroken run.

        Args:
            model: The policy, float32 and in evaluation mode (no dropout: ratios would not start at 1); all
                parameters are trained.
            tokenizer: Its tokenizer.
            task: Hands, their judge and rewards.
            settings: Rollouts, optimisation and the algorithm's own settings, see ``RlParams.check_algorithm``.
            kl: Weight of the KL penalty toward ``anchor``.
            anchor: A model of the same vocabulary and on the same device that is not trained, or None.
            seed: Order of the hands, what is sampled, and the order of minibatches.
            progress: Private folder of this run.

        Raises:
            ValueError: If there are no hands, a hand does not fit into the model's context, or ``kl`` wants an anchor
                that was not given.
            RlError: If a reward, loss, logit or gradient is not finite; the error names update and last good state.
        """


def check_anchor(kl: KlParams, anchor: PreTrainedModel | None) -> None:
    """Check that the anchor that a KL penalty wants is there.

    Raises:
        ValueError: If it is not.
    """
    if kl.anchor != "none" and anchor is None:
        raise ValueError(f"a KL penalty toward '{kl.anchor}' needs that model")
