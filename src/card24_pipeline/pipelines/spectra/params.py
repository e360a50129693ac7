"""Parameters of the spectra."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt

Fraction = Annotated[float, Field(gt=0, lt=1)]


class SpectraParams(BaseModel):
    """Bands of singular values, and the null models beside them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    fractions: list[Fraction] = Field(min_length=1)
    null_draws: PositiveInt
    null_seed: NonNegativeInt
    return_fraction: Fraction
