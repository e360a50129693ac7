"""What the tools for anyone's checkpoints share: their parameters, and errors shown in a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import click
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, field_validator

from card24_pipeline.checkpoints.selection import Part
from card24_pipeline.weights.edits import KNOBS, Edit, Method

Share = Annotated[float, Field(ge=0, le=1)]


class CheckpointToolParams(BaseModel):
    """Settings of ``checkpoint_recovery`` and ``checkpoint_spectra``; see conf/base/parameters_checkpoint_tools.yml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    donor: str | None
    target: str | None
    method: Method
    top_fraction: Share
    tail_fraction: Share
    random_fraction: Share
    quarter: Annotated[int, Field(ge=1, le=4)]
    donor_share: Share
    shallow_share: Share
    delta_fraction: Share
    sigma: Literal["target", "donor"]
    matrices: list[Part] = Field(min_length=1)
    embeddings: bool
    draw_seed: NonNegativeInt
    output: Literal["checkpoint", "adapter"]
    output_folder: str | None
    null_draws: NonNegativeInt
    probe: str | None
    probe_match: Literal["exact", "contains"]
    probe_knobs: list[Share] = Field(min_length=1)
    probe_max_new_tokens: PositiveInt
    probe_batch_size: PositiveInt
    spectra_fractions: list[Annotated[float, Field(gt=0, lt=1)]] = Field(min_length=1)

    @field_validator("matrices", mode="before")
    @classmethod
    def wrap_single(cls, value: Any) -> Any:
        """Take ``matrices=mlp`` from the command line, which has no lists."""
        return [value] if isinstance(value, str) else value

    @classmethod
    def pick(cls, parameters: dict[str, Any]) -> CheckpointToolParams:
        """Take the tools' settings out of all parameters of a run."""
        return cls(**{name: parameters[name] for name in cls.model_fields})

    def make_edit(self) -> Edit:
        """Return the edit that the settings describe.

        Raises:
            ValueError: If they do not go together.
        """
        return Edit(
            method=self.method,
            knob=getattr(self, KNOBS[self.method]) if self.method in KNOBS else None,
            sigma=self.sigma,
            matrices=tuple(self.matrices),
            embeddings=self.embeddings,
            seed=self.draw_seed,
        )

    def name_output(self, kind: str) -> Path:
        """Return the folder to write, named after the target where none is given."""
        if self.output_folder:
            return Path(self.output_folder)
        name = Path(str(self.target).removeprefix("hub:")).name
        return Path("data/06_models/recovered") / f"{name}-{kind}"

    def require_pair(self) -> tuple[str, str]:
        """Return donor and target.

        Raises:
            ValueError: If one of them is not named.
        """
        if not self.donor or not self.target:
            missing = "target" if self.donor else "donor"
            raise ValueError(
                f"{missing}: name a checkpoint folder or hub:organisation/name (--params=donor=…,target=…)"
            )
        return self.donor, self.target


@contextmanager
def shown_in_a_line() -> Iterator[None]:
    """Turn errors about the user's folders and settings into what the command line shows without a traceback."""
    try:
        yield
    except ValueError as error:  # of which CheckpointError is one
        raise click.ClickException(str(error)) from error
