"""How one supervised run is optimised."""

from __future__ import annotations

from typing import Literal, Self

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


class Schedule(BaseModel):
    """Optimisation of one supervised run (AdamW)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    steps: PositiveInt
    batch_size: PositiveInt
    micro_batch_size: PositiveInt
    learning_rate: PositiveFloat
    learning_rate_shape: Literal["constant", "cosine"]
    warmup_steps: NonNegativeInt
    weight_decay: NonNegativeFloat
    adam_beta2: float = Field(gt=0, lt=1)
    max_gradient_norm: PositiveFloat
    resume_every_steps: PositiveInt
    log_every_steps: PositiveInt

    @model_validator(mode="after")
    def check_resumable(self) -> Self:
        """Check that states are saved where a logging interval ends: a resumed run then logs what an unbroken one does.

        Raises:
            ValueError: If they are not.
        """
        if self.resume_every_steps % self.log_every_steps:
            raise ValueError(
                f"resume_every_steps {self.resume_every_steps} is no multiple of log_every_steps {self.log_every_steps}"
            )
        return self
