"""Parameters as they were written."""

from typing import Any

from pydantic import ConfigDict, TypeAdapter

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))


def to_plain(value: Any) -> Any:
    """Turn the models that Kedro makes of parameters back into mappings, lists and scalars.

    What was given stands as it was written; defaults stay out.
    """
    return _ANYTHING.dump_python(value, mode="json", exclude_unset=True)
