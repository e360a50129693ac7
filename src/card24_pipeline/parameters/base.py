"""The base of all parameter classes."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Params(BaseModel):
    """Settings as a file holds them: frozen, of exact types, finite, and no key beyond those named."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def lay_over(self, changes: Mapping[str, Any]) -> Self:
        """Return these settings with others laid over them, key by key; ValueError if a key or value is wrong."""
        return type(self).model_validate(_merge(self.model_dump(), changes)) if changes else self


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        merged[name] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
