"""Parameters of the findings."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt

from card24_pipeline.parameters.base import Params


class FindingsParams(Params):
    """Intervals, and whether a scale only checks that every stage runs, so that its figures mean nothing."""

    confidence: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=100)
    bootstrap_seed: NonNegativeInt
    engineering_only: bool
