"""Parameters of what the from-scratch base is trained on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, PositiveInt


class MixtureParams(BaseModel):
    """What the from-scratch base is trained on: parts of the task and a little of the whole."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seed: NonNegativeInt
    examples: PositiveInt
    translation_weight: NonNegativeFloat
    puzzle_weight: NonNegativeFloat
    whole_task_weight: NonNegativeFloat
    max_solutions: PositiveInt
    max_face_value: PositiveInt
