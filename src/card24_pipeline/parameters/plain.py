"""Parameters as they were written."""

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from pydantic import BaseModel


def to_plain(value: Any) -> Any:
    """Turn the models that Kedro makes of parameters back into mappings, lists and scalars.

    What was given stands as it was written; defaults stay out.
    """
    if isinstance(value, BaseModel):
        return to_plain(value.model_dump(mode="json", exclude_unset=True))
    if is_dataclass(value) and not isinstance(value, type):
        return to_plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): to_plain(item) for name, item in value.items()}
    return [to_plain(item) for item in value] if isinstance(value, list | tuple) else value
