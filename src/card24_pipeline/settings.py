"""Kedro settings of the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from card24_pipeline.hooks import ProjectHooks
from card24_pipeline.versioning.config_loader import FanOutConfigLoader


def join_mappings(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Join mappings of the catalog in this order: ``${join:${_scores},{step:int64}}``."""
    return {key: value for part in parts for key, value in part.items()}


def fill_fields(text: str, values: Mapping[str, Any]) -> str:
    """Fill the fields of a text in the catalog: ``${fill:seed_{seed},${_run}}``; there need be none."""
    return text.format_map(values)


HOOKS = (ProjectHooks(),)
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry", "kedro-viz")

# A scale is an environment; ``base`` is one of them, so there is no ``conf/local``. Hidden folders are read
# because ``conf/base/parameters.yml`` is a link to ``params.yaml``: below any hidden folder (such as the
# ``.dvc/tmp/exps`` of a queued DVC experiment) Kedro would otherwise skip it without a word.
CONFIG_LOADER_CLASS = FanOutConfigLoader
CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "base",
    "merge_strategy": {"parameters": "soft"},
    "ignore_hidden": False,
    "custom_resolvers": {"join": join_mappings, "fill": fill_fields},
}
