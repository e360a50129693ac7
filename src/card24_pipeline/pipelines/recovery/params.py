"""Parameters of the recovery variants."""

from __future__ import annotations

from itertools import product
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from card24_pipeline.checkpoints.selection import Part
from card24_pipeline.weights.edits import MATRIX_PARTS, Edit, Method


class FamilyParams(BaseModel):
    """One method over a grid of its knob, for each donor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method
    donors: list[Literal["max_ood", "base"]] = Field(min_length=1)
    knobs: list[float] = []
    sigma: Literal["target", "donor"] = "target"
    matrices: list[Part] = list(MATRIX_PARTS)
    embeddings: list[bool] = [False]

    @model_validator(mode="after")
    def check_edits(self) -> FamilyParams:
        """Refuse what no edit can be made of."""
        self.list_edits(seed=0)
        return self

    def list_edits(self, *, seed: int) -> list[Edit]:
        """Return an edit for each donor, choice of embeddings and knob."""
        knobs: list[float | None] = [*self.knobs] or [None]
        return [
            Edit(
                method=self.method,
                donor=donor,
                knob=knob,
                sigma=self.sigma,
                matrices=tuple(self.matrices),
                embeddings=embeddings,
                seed=seed,
            )
            for donor, embeddings, knob in product(self.donors, self.embeddings, knobs)
        ]


class RecoveryParams(BaseModel):
    """The grid of variants, and the seed of those that draw at random."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: NonNegativeInt
    grid: list[FamilyParams] = Field(min_length=1)

    @model_validator(mode="after")
    def check_names(self) -> RecoveryParams:
        """Refuse variants that are listed twice."""
        names = [edit.name for edit in self.list_edits()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
        return self

    def list_edits(self) -> list[Edit]:
        """Return every variant of the grid."""
        return [edit for family in self.grid for edit in family.list_edits(seed=self.seed)]
