"""Parameters of where the base model comes from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, RootModel

from card24_pipeline.models.architecture import Architecture
from card24_pipeline.training.schedule import Schedule


class FromScratchParams(BaseModel):
    """Train the base model here, from fresh weights."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["from_scratch"]
    seed: NonNegativeInt
    architecture: Architecture
    schedule: Schedule


class FolderParams(BaseModel):
    """Take the base model from a checkpoint folder on this machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["folder"]
    path: str = Field(min_length=1)


class SourceParams(RootModel[Annotated[FromScratchParams | FolderParams, Field(discriminator="kind")]]):
    """Where the base model comes from; ``kind`` says which of the sources."""

    model_config = ConfigDict(frozen=True)
