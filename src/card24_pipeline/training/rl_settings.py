"""How a reinforcement-learning run is set: rollouts, rewards, optimisation, and the anchor of its KL penalty."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from card24_pipeline.game.rewards import RewardTable

Discount = Annotated[float, Field(ge=0, le=1)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class RolloutSettings(_Settings):
    """How answers are sampled. ``max_turns_per_update`` cuts episodes that go on when so many tries are spent."""

    hands_per_update: PositiveInt
    max_tries: PositiveInt
    max_turns_per_update: PositiveInt | None
    temperature: PositiveFloat
    max_new_tokens: PositiveInt
    batch_size: PositiveInt

    @model_validator(mode="after")
    def check_budget(self) -> Self:
        """Check that every hand of an update can be tried once.

        Raises:
            ValueError: If it cannot.
        """
        if self.max_turns_per_update is not None and self.max_turns_per_update < self.hands_per_update:
            raise ValueError(
                f"max_turns_per_update {self.max_turns_per_update} is below hands_per_update {self.hands_per_update}: "
                "some hands would never be tried"
            )
        return self


class RewardSettings(_Settings):
    """The reward of each outcome of a try."""

    correct: float
    legal_prefix: float
    wrong_value: float
    wrong_numbers: float
    illegal: float
    no_formula: float

    def to_table(self) -> RewardTable:
        """Return the rewards as the game knows them."""
        return RewardTable(**self.model_dump())


class OptimiserSettings(_Settings):
    """AdamW and its learning rate, which is a function of the update."""

    learning_rate: PositiveFloat
    learning_rate_shape: Literal["constant", "linear", "cosine"]
    warmup_updates: NonNegativeInt
    adam_beta2: float = Field(gt=0, lt=1)
    weight_decay: NonNegativeFloat
    max_gradient_norm: PositiveFloat


class PpoSettings(_Settings):
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
        """Check that micro-batches fill a minibatch.

        Raises:
            ValueError: If they do not.
        """
        if self.minibatch_size % self.micro_batch_size:
            raise ValueError(
                f"minibatch_size {self.minibatch_size} is no multiple of micro_batch_size {self.micro_batch_size}"
            )
        return self


class GroupSettings(_Settings):
    """What GRPO and RLOO need beside the rest: answers to one hand are judged against each other."""

    answers_per_hand: int = Field(ge=2)
    clip_range: PositiveFloat
    epochs: PositiveInt
    micro_batch_size: PositiveInt


class RlSettings(_Settings):
    """One reinforcement-learning run."""

    algorithm: Literal["ppo", "grpo", "rloo"]
    updates: PositiveInt
    resume_every_updates: PositiveInt
    rollouts: RolloutSettings
    rewards: RewardSettings
    optimiser: OptimiserSettings
    ppo: PpoSettings
    group: GroupSettings

    @model_validator(mode="after")
    def check_settings_that_belong_together(self) -> Self:
        """Check what only one algorithm can do, and the sizes of its batches.

        Raises:
            ValueError: If GRPO or RLOO is to play several tries, or batches do not divide.
        """
        hands = self.rollouts.hands_per_update
        if self.algorithm == "ppo":
            if hands % self.ppo.minibatch_size:
                raise ValueError(f"hands_per_update {hands} is no multiple of minibatch_size {self.ppo.minibatch_size}")
            return self
        if self.rollouts.max_tries > 1:
            raise ValueError(
                f"max_tries {self.rollouts.max_tries} with {self.algorithm}: TRL's trainer compares whole answers to "
                "one prompt and has no value of the state after a failed try; use max_tries 1 or ppo"
            )
        if self.rollouts.max_turns_per_update is not None:
            raise ValueError(f"max_turns_per_update has no meaning with {self.algorithm}: every hand is one turn")
        for name in ("answers_per_hand", "micro_batch_size"):
            if hands % getattr(self.group, name):
                raise ValueError(f"hands_per_update {hands} is no multiple of group.{name} {getattr(self.group, name)}")
        return self


class KlSettings(_Settings):
    """The model from which a KL penalty keeps the policy, and the penalty's weight."""

    anchor: Literal["none", "start", "max_ood", "base"]
    coefficient: NonNegativeFloat

    @model_validator(mode="after")
    def check_anchor(self) -> Self:
        """Check that the weight and the anchor agree.

        Raises:
            ValueError: If there is a weight without an anchor or an anchor without a weight.
        """
        if (self.anchor == "none") != (self.coefficient == 0):
            raise ValueError(f"anchor '{self.anchor}' with coefficient {self.coefficient}: give both, or 'none' and 0")
        return self
