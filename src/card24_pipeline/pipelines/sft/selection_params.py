"""Parameters of checkpoint selection, apart from those of training: a new ladder trains nothing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt


class SelectionParams(BaseModel):
    """The rule by which checkpoints are chosen for what follows."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    split: Literal["ood_select"]
    ladder_rungs: NonNegativeInt
