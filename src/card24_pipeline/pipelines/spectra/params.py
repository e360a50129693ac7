"""Parameters of the spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from card24_pipeline.parameters.base import Params

if TYPE_CHECKING:
    from card24_pipeline.spectral.movement import SpectraSettings

Fraction = Annotated[float, Field(gt=0, lt=1)]


class SpectraParams(Params):
    """Bands of singular values, and the null models beside them."""

    fractions: list[Fraction] = Field(min_length=1)
    null_draws: PositiveInt
    null_seed: NonNegativeInt
    return_fraction: Fraction

    def to_settings(self) -> SpectraSettings:
        """Return what the measuring takes."""
        from card24_pipeline.spectral.movement import SpectraSettings

        return SpectraSettings(self.fractions, self.null_draws, self.null_seed)
