"""Nested settings as the flat parameters of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from card24_pipeline.parameters.plain import to_plain


def flatten_settings(settings: Mapping[str, Any]) -> dict[str, str]:
    """Name every leaf of nested settings by its path.

    Args:
        settings: Mappings, lists, numbers, text, true, false and null, as YAML has them, or the models that Kedro has
            made of them: those that were given stand as they were written, and defaults stay out.

    Returns:
        JSON of each leaf by its path, such as ``recovery.grid.0.method``, sorted; text stands without quotes. A list
        that holds no mapping is one leaf.
    """
    return dict(sorted(_walk("", to_plain(settings))))


def _walk(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        items = [(str(name), item) for name, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        items = [(str(number), item) for number, item in enumerate(value)]
    else:
        yield path, value if isinstance(value, str) else json.dumps(_write_whole(value), ensure_ascii=False)
        return
    for name, item in items:
        yield from _walk(f"{path}.{name}" if path else name, item)


def _write_whole(value: Any) -> Any:
    """Make whole floats integers: a model turns the 1 of a parameter file into 1.0."""
    if isinstance(value, list):
        return [_write_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
