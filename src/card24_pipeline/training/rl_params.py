"""How a reinforcement-learning run is set: rollouts, rewards, optimisation, and the anchor of its KL penalty."""

import math
from operator import attrgetter
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from card24_pipeline.game.verdicts import Verdict
from card24_pipeline.parameters.base import Params

Algorithm = Literal["ppo", "grpo", "rloo"]
"""Each is a module of this package whose ``train`` is a :class:`Trainer`."""

Discount = Annotated[float, Field(ge=0, le=1)]


class RolloutParams(Params):
    """How answers are sampled. ``max_turns_per_update`` cuts episodes that go on when so many tries are spent."""

    hands_per_update: PositiveInt
    max_tries: PositiveInt
    max_turns_per_update: PositiveInt | None
    temperature: PositiveFloat
    max_new_tokens: PositiveInt
    batch_size: PositiveInt

    @model_validator(mode="after")
    def check_budget(self) -> Self:
        """Check that every hand of an update can be tried once."""
        if self.max_turns_per_update is not None and self.max_turns_per_update < self.hands_per_update:
            raise ValueError(
                f"max_turns_per_update {self.max_turns_per_update} is below hands_per_update {self.hands_per_update}: "
                "some hands would never be tried"
            )
        return self


class RewardParams(Params):
    """The reward of each outcome of a try."""

    correct: float
    legal_prefix: float
    wrong_value: float
    wrong_numbers: float
    illegal: float
    no_formula: float

    def reward(self, verdict: Verdict) -> float:
        """Return what a try with this verdict is worth."""
        return float(getattr(self, verdict.outcome.value))


class OptimiserParams(Params):
    """AdamW and its learning rate, which is a function of the update."""

    learning_rate: PositiveFloat
    learning_rate_shape: Literal["constant", "linear", "cosine"]
    warmup_updates: NonNegativeInt
    adam_beta2: float = Field(gt=0, lt=1)
    weight_decay: NonNegativeFloat
    max_gradient_norm: PositiveFloat

    def share(self, number: int, *, updates: int) -> float:
        """Return the share of the peak learning rate at update ``number``, counted from 1 to ``updates``.

        It rises linearly over the warm-up and then stays, or falls to zero just after the last update, along a line
        or half a cosine.
        """
        if number <= self.warmup_updates:
            return number / self.warmup_updates
        done = (number - self.warmup_updates - 1) / max(1, updates - self.warmup_updates)
        shapes = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}
        return shapes[self.learning_rate_shape]


class PpoParams(Params):
    """Proximal policy optimisation (arXiv 1707.06347) with two-level generalised advantage estimation.

    The value head starts at zero and has a learning rate of its own: at the policy's it would hardly move in a run.
    """

    gamma_token: Discount
    lambda_token: Discount
    gamma_turn: Discount
    lambda_turn: Discount
    clip_range: PositiveFloat
    value_clip_range: PositiveFloat
    value_coefficient: NonNegativeFloat
    value_head_learning_rate: PositiveFloat
    entropy_coefficient: NonNegativeFloat
    epochs: PositiveInt
    minibatch_size: PositiveInt
    micro_batch_size: PositiveInt
    critic: Literal["head", "separate"]

    @model_validator(mode="after")
    def check_sizes(self) -> Self:
        """Check that micro-batches fill a minibatch."""
        if self.minibatch_size % self.micro_batch_size:
            raise ValueError(
                f"minibatch_size {self.minibatch_size} is no multiple of micro_batch_size {self.micro_batch_size}"
            )
        return self


class GroupParams(Params):
    """What GRPO and RLOO need beside the rest: answers to one hand are judged against each other."""

    answers_per_hand: int = Field(ge=2)
    clip_range: PositiveFloat
    epochs: PositiveInt
    micro_batch_size: PositiveInt


class RlParams(Params):
    """One reinforcement-learning run, whichever algorithm it is."""

    updates: PositiveInt
    resume_every_updates: PositiveInt
    rollouts: RolloutParams
    rewards: RewardParams
    optimiser: OptimiserParams
    ppo: PpoParams
    group: GroupParams

    def check_algorithm(self, algorithm: Algorithm) -> None:
        """Check what only one algorithm can do, and the sizes of its batches.

        Raises:
            ValueError: If GRPO or RLOO is to play several tries, or batches do not divide.
        """
        rollouts, sizes = self.rollouts, ["ppo.minibatch_size"]
        if algorithm != "ppo":
            sizes = ["group.answers_per_hand", "group.micro_batch_size"]
            if rollouts.max_tries > 1:
                raise ValueError(
                    f"max_tries {rollouts.max_tries} with {algorithm}: TRL's trainer compares whole answers to "
                    "one prompt and has no value of the state after a failed try; use max_tries 1 or ppo"
                )
            if rollouts.max_turns_per_update is not None:
                raise ValueError(f"max_turns_per_update has no meaning with {algorithm}: every hand is one turn")
        for name in sizes:
            size = attrgetter(name)(self)
            if rollouts.hands_per_update % size:
                raise ValueError(f"hands_per_update {rollouts.hands_per_update} is no multiple of {name} {size}")


class KlParams(Params):
    """The model from which a KL penalty keeps the policy, and the penalty's weight."""

    anchor: Literal["none", "start", "max_ood", "base"]
    coefficient: NonNegativeFloat

    @model_validator(mode="after")
    def check_anchor(self) -> Self:
        """Check that the weight and the anchor agree."""
        if (self.anchor == "none") != (self.coefficient == 0):
            raise ValueError(f"anchor '{self.anchor}' with coefficient {self.coefficient}: give both, or 'none' and 0")
        return self
