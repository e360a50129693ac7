"""Settings of scoring."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveInt


class ScoringSettings(BaseModel):
    """How a checkpoint answers the evaluation hands, and the level of the intervals beside the scores."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_new_tokens: PositiveInt
    batch_size: PositiveInt
    divergence_examples: PositiveInt
    confidence: float = Field(gt=0, lt=1)
