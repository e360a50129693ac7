"""Kedro's configuration loader with blocks that replace others and fan-out keys that have defaults."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader

from card24_pipeline.versioning.fan_out import FanOut
from card24_pipeline.versioning.parameter_files import REPLACE
from card24_pipeline.versioning.settings import read_settings
from card24_pipeline.versioning.validation import VersioningError


class FanOutConfigLoader(OmegaConfigLoader):
    """Fills the fan-out keys of a run before anything reads them, and knows ``_replace_: true``.

    Attributes:
        fan_out: Names of the keys.
    """

    def __init__(
        self,
        conf_source: str | Path,
        env: str | None = None,
        runtime_params: dict[str, Any] | None = None,
        *,
        fill_keys: bool = True,
        **arguments: Any,
    ) -> None:
        """Take Kedro's arguments; without ``fill_keys``, fan-out keys that are not given are left out.

        Raises:
            VersioningError: When a given key is none of its values or two of them disagree.
        """
        super().__init__(conf_source, env, runtime_params, **arguments)
        keys = read_settings(Path(conf_source)).fan_out if fill_keys else {}
        self.fan_out = tuple(keys)
        if keys:
            try:
                filled = FanOut(keys, self["parameters"]).fill(runtime_params or {})
            except VersioningError as error:
                raise VersioningError(f"scale {env or self.default_run_env}: {error}") from error
            # From the start, since the loader keeps what it once resolved.
            super().__init__(conf_source, env, filled, **arguments)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Load a kind of configuration; no mark of a replacing block is left in it."""
        loaded = super().__getitem__(key)
        return _drop_marks(loaded) if key == "parameters" else loaded

    @staticmethod
    def _soft_merge(config: dict[str, Any], env_config: dict[str, Any], env_path: str | None = None) -> Any:
        # Kedro picks the function by this name for `merge_strategy: soft`.
        merged: Mapping[str, Any] = _merge_blocks(config, env_config)
        return merged


def make_loader(project: Path, env: str, runtime_params: dict[str, Any] | None = None) -> OmegaConfigLoader:
    """Make the loader that a project, which Kedro has bootstrapped, uses for a scale; fan-out keys are as given."""
    from kedro.framework.project import settings

    kind = settings.CONFIG_LOADER_CLASS
    more = {"fill_keys": False} if issubclass(kind, FanOutConfigLoader) else {}
    return kind(str(project / settings.CONF_SOURCE), env, runtime_params, **settings.CONFIG_LOADER_ARGS, **more)


def _merge_blocks(below: Any, above: Any) -> Any:
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)) or above.get(REPLACE) is True:
        return above
    return {**below, **{key: _merge_blocks(below[key], above[key]) if key in below else above[key] for key in above}}


def _drop_marks(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get(REPLACE, True) is not True:
            raise VersioningError(f"{REPLACE}: expected true, got {value[REPLACE]}")
        return {key: _drop_marks(item) for key, item in value.items() if key != REPLACE}
    return value
