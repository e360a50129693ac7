"""Parameters of supervised fine-tuning."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from card24_pipeline.training.schedule import Schedule


class SftParams(BaseModel):
    """Fine-tuning on the ID rule, and the steps after which a checkpoint is kept (the last step always is)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    checkpoint_steps: list[PositiveInt] = Field(min_length=1)
    schedule: Schedule
