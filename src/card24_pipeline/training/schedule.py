"""How one supervised run is optimised."""

from __future__ import annotations

from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
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
