"""The base of all parameter classes."""

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Settings as a file holds them: frozen, of exact types, finite, and no key beyond those named."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
