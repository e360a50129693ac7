"""Parameters of the findings."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt

from card24_pipeline.parameters.arms import ArmName
from card24_pipeline.parameters.base import Params


class FindingsParams(Params):
    """Intervals and verdicts.

    Attributes:
        confidence: Level of all intervals.
        resamples: Draws of the bootstrap over hands.
        bootstrap_seed: Their seed.
        replicates_for_verdicts: A study of fewer replicates has intervals and no verdict.
        compare_arms: SFT arms, each with the one that it is held against.
        arm_notes: What to know of an SFT arm, as it stands beside its name.
        engineering_only: Whether a scale only checks that every stage runs, so that its figures mean nothing.
    """

    confidence: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=100)
    bootstrap_seed: NonNegativeInt
    replicates_for_verdicts: int = Field(ge=2)
    compare_arms: dict[ArmName, ArmName]
    arm_notes: dict[ArmName, str]
    engineering_only: bool
