"""Parameters of the hands that reinforcement learning plays."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt


class RlHandsParams(BaseModel):
    """The hands that reinforcement learning plays."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seed: NonNegativeInt
    deals_per_multiset: PositiveInt
