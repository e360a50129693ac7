"""Parameters of the SFT examples."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt


class SftExamplesParams(BaseModel):
    """The examples that supervised fine-tuning learns from."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seed: NonNegativeInt
    deals_per_multiset: PositiveInt
    max_solutions: PositiveInt
