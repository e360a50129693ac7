"""Settings of the tools for anyone's checkpoints; see conf/base/parameters_checkpoint_tools.yml."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from card24_pipeline.edits.edit import Edit
from card24_pipeline.edits.registry import list_names, load_method
from card24_pipeline.parameters.base import Params

Share = Annotated[float, Field(ge=0, le=1)]


class ToolParams(Params):
    """Settings of ``checkpoint_recovery`` and ``checkpoint_spectra``.

    The knob may also be given by the name that the method calls it: ``method=uv_top,top_fraction=0.2``.
    """

    donor: str | None
    target: str | None
    method: str
    knob: float | None
    sigma: Literal["target", "donor"]
    matrices: list[Literal["attention", "mlp"]] = Field(min_length=1)
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

    @model_validator(mode="before")
    @classmethod
    def take_knob_by_its_name(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take ``top_fraction`` and the like for ``knob``."""
        method = values.get("method")
        knob = load_method(method).knob if method in list_names() else None
        if knob is None or knob.name not in values:
            return values
        return {name: value for name, value in values.items() if name != knob.name} | {"knob": values[knob.name]}

    @field_validator("method")
    @classmethod
    def check_method(cls, value: str) -> str:
        """Refuse a method that does not exist."""
        return load_method(value).name

    @field_validator("matrices", mode="before")
    @classmethod
    def wrap_single(cls, value: Any) -> Any:
        """Take ``matrices=mlp`` from the command line, which has no lists."""
        return [value] if isinstance(value, str) else value

    @classmethod
    def pick(cls, parameters: dict[str, Any]) -> Self:
        """Take the tools' settings out of all parameters of a run."""
        knob = load_method(parameters["method"]).knob
        names = {*cls.model_fields, knob.name if knob else "knob"}
        return cls(**{name: value for name, value in parameters.items() if name in names})

    def make_edit(self) -> Edit:
        """Return the edit that the settings describe, at the method's usual knob where none is given."""
        knob = load_method(self.method).knob
        return Edit(
            method=self.method,
            knob=knob.default if knob and self.knob is None else self.knob,
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
        """Return donor and target; raise a ValueError if one of them is not named."""
        if self.donor and self.target:
            return self.donor, self.target
        missing = "target" if self.donor else "donor"
        raise ValueError(f"{missing}: name a checkpoint folder or hub:organisation/name (--params=donor=…,target=…)")
