"""Parameters of the splits."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt


class SplitParams(BaseModel):
    """How the solvable multisets are shared out between the splits."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seed: NonNegativeInt
    id_heldout_fraction: float = Field(gt=0, lt=1)
    ood_select_fraction: float = Field(gt=0, lt=1)
    never_met_fraction: float = Field(gt=0, lt=1)
