"""What every reinforcement-learning run is given and what it leaves, whichever algorithm it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.game.answers import grade_answer
from card24_pipeline.game.prompts import AnswerStyle, PromptLayout
from card24_pipeline.game.verdicts import Outcome, Verdict
from card24_pipeline.training.rl_params import KlParams, RewardParams, RlParams

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_COUNTS = ("hands", "rollout_tokens", "flops")

HISTORY_COLUMNS = (
    *("update", "reward", "success", *(f"share_{outcome.value}" for outcome in Outcome)),
    *("turns", "answer_tokens", "cut_share", "policy_loss", "value_loss", "entropy_nats"),
    *("kl_old_nats", "kl_start_nats", "kl_anchor_nats", "clip_fraction", "ratio_min", "ratio_max"),
    *("explained_variance", "gradient_norm", "learning_rate", "sampler_drift_nats", *_COUNTS),
)
"""Columns of a run's history; a figure that an algorithm does not have is NaN. ``hands``, ``rollout_tokens`` and
``flops`` count from the start of the run, everything else is of one update. PPO measures ``kl_start_nats`` on the
update's first micro-batch and ``sampler_drift_nats`` on its first minibatch."""


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

    def __str__(self) -> str:
        """Name it, as errors do."""
        return f"hand {self.identity} ({self.cards})"


@dataclass(frozen=True)
class CardTask:
    """The hands of a run, and how their answers are written, judged and rewarded."""

    hands: Sequence[Hand]
    layout: PromptLayout
    style: AnswerStyle
    rewards: RewardParams

    def judge(self, answer: str, hand: Hand) -> tuple[Verdict, float]:
        """Return the verdict on an answer, and its reward; RlError if that is not finite."""
        verdict = grade_answer(answer, hand.values, hand.target, layout=self.layout, style=self.style)
        reward = self.rewards.reward(verdict)
        if not math.isfinite(reward):
            raise RlError(f"the reward of {hand} is {reward}")
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
        settings: Those that ``RlParams.check_algorithm`` found sound.
        anchor: The model of the KL penalty, of the same vocabulary and on the same device, not trained; or None.
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


def add_to_history(history: list[dict[str, float]], figures: dict[str, float]) -> None:
    """Append an update's row; its counts become counts since the start of the run."""
    counts = {name: figures[name] + (history[-1][name] if history else 0) for name in _COUNTS}
    history.append({name: (figures | counts).get(name, math.nan) for name in HISTORY_COLUMNS})


Trainer = Callable[[RlSetup, Path], RlRun]
"""The ``train`` of an algorithm's module: trains in a private folder.

Training state goes to its sub-folder ``state`` every ``resume_every_updates``; when there is one, training continues
from it and ends with the same bytes as an unbroken run. Raises ValueError if there are no hands or one does not fit
into the model's context, and RlError if a reward, loss, logit or gradient is not finite.
"""
