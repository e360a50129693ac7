"""Parameters of the spectra."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from card24_pipeline.parameters.base import Params

Fraction = Annotated[float, Field(gt=0, lt=1)]


class SpectraParams(Params):
    """Bands of singular values, and the null models beside them."""

    fractions: list[Fraction] = Field(min_length=1)
    null_draws: PositiveInt
    null_seed: NonNegativeInt
    return_fraction: Fraction
