"""Parameters of the spectra."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from card24_pipeline.parameters.base import Params

Fraction = Annotated[float, Field(gt=0, lt=1)]


class SpectraParams(Params):
    """Bands of singular values, and the null models beside them."""

    fractions: list[Fraction]
    null_draws: PositiveInt
    null_seed: NonNegativeInt
    return_fraction: Fraction

    @field_validator("fractions")
    @classmethod
    def _hold_the_claimed(cls, fractions: list[float]) -> list[float]:
        if 0.2 not in fractions:
            raise ValueError("expected 0.2 among them: the claims are about the top 20 %")
        return fractions
