"""Parameters as they were written."""

from typing import Any

from pydantic import TypeAdapter


def to_plain(value: Any) -> Any:
    """Turn the models that Kedro makes of parameters back into mappings, lists and scalars.

    What was given stands as it was written; defaults stay out.
    """
    return TypeAdapter(Any).dump_python(value, mode="json", exclude_unset=True)
