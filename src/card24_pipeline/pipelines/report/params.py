"""Parameters of the report."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt


class ReportParams(BaseModel):
    """Intervals of the report."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    confidence: float = Field(gt=0, lt=1)
    resamples: PositiveInt
    bootstrap_seed: NonNegativeInt
