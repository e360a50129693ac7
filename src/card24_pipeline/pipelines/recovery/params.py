"""Parameters of the edits."""

from itertools import product
from typing import Literal, Self

from pydantic import Field, model_validator

from card24_pipeline.edits.edit import Edit
from card24_pipeline.parameters.base import Params


class EditFamilyParams(Params):
    """One method over a grid of its knob, for each donor."""

    method: str
    donors: list[Literal["max_ood", "base"]] = Field(min_length=1)
    knobs: list[float] = Field(default=[])
    sigma: Literal["target", "donor"] = "target"
    matrices: list[Literal["attention", "mlp"]] = Field(default=["attention", "mlp"])
    embeddings: list[bool] = Field(default=[False], min_length=1)

    @model_validator(mode="after")
    def check_edits(self) -> Self:
        """Refuse what no edit can be made of."""
        self.list_edits(seed=0)
        return self

    def list_edits(self, *, seed: int) -> list[Edit]:
        """Return an edit for each donor, choice of embeddings and knob."""
        knobs: list[float | None] = [*self.knobs] or [None]
        return [
            Edit(self.method, donor, knob, self.sigma, tuple(self.matrices), embeddings, seed)
            for donor, embeddings, knob in product(self.donors, self.embeddings, knobs)
        ]


class EditArmParams(Params):
    """An arm of edits: the fine-tuning whose End they change, their grid, and the seed of those that draw at random."""

    sft_arm: str
    seed: int = Field(ge=0, lt=2**32)
    grid: list[EditFamilyParams] = Field(min_length=1)

    @model_validator(mode="after")
    def check_names(self) -> Self:
        """Refuse variants that are listed twice."""
        names = [edit.name for edit in self.list_edits()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
        return self

    def list_edits(self) -> list[Edit]:
        """Return every variant of the grid."""
        return [edit for family in self.grid for edit in family.list_edits(seed=self.seed)]
