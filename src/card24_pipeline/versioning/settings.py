"""The settings of this room: the table ``[tool.dvc_stages]`` of a project's ``pyproject.toml``."""

from __future__ import annotations

import tarfile
import tomllib
from pathlib import Path

from pydantic import Field, model_validator

from card24_pipeline.versioning.validation import Settings, validate_settings

FILE = "pyproject.toml"
_FOLDER = r"^[^/.][^/]*(/[^/.][^/]*)*$"


class FanOutKey(Settings):
    """A key that makes one stage into several.

    Attributes:
        values: Parameter that holds its values: a list (DVC's matrix), or a mapping of named blocks (a stage each,
            which depends on its own block only).
        implies: Other keys that a block fixes, and the field of the block that does.
        imports: Module that whoever reads the block imports at run time, with fields of the block in braces.
        folder: Folder of the scale's configuration where the stages of one value have a ``dvc.yaml``, and so a lock
            file, of their own, with the key in braces: ``seed_{seed}``.
    """

    values: str
    implies: dict[str, str] = Field(default={})
    imports: str | None = None
    folder: str | None = Field(default=None, pattern=_FOLDER)


class StagesSettings(Settings):
    """What a project says of its stages.

    Attributes:
        outputs: Folder below which stages write.
        kept_in_git: Folder whose files git keeps instead of DVC's cache.
        fan_out: The fan-out keys by name.
        discovers: Modules that find others at run time, with a pattern of those.
        everywhere: Parameters that every stage depends on, whatever its nodes take.
        threads: Parameter that says with how many threads a stage computes.
        device: Parameter that says where; stages that share another device than ``cpu`` run one by one by default.
    """

    outputs: str = Field(default="data", pattern=_FOLDER)
    kept_in_git: str | None = Field(default=None, pattern=_FOLDER)
    fan_out: dict[str, FanOutKey] = Field(default={})
    discovers: dict[str, str] = Field(default={})
    everywhere: list[str] = Field(default=[])
    threads: str | None = None
    device: str | None = None

    @model_validator(mode="after")
    def _check_names(self) -> StagesSettings:
        for name, key in self.fan_out.items():
            if unknown := sorted(key.implies.keys() - self.fan_out.keys()):
                raise ValueError(f"fan_out.{name}.implies: no key {', '.join(unknown)} in fan_out")
            if not name.isidentifier():
                raise ValueError(f"fan_out.{name}: expected letters, digits and '_' in the name of a key")
            if key.folder is not None and f"{{{name}}}" not in key.folder:
                raise ValueError(f"fan_out.{name}.folder: expected {{{name}}} in it, got '{key.folder}'")
        owners = [name for name, key in self.fan_out.items() if key.folder is not None]
        if len(owners) > 1:
            raise ValueError(f"fan_out.{owners[1]}.folder: {owners[0]} has one, and only one key can")
        return self


def read_settings(conf_source: Path) -> StagesSettings:
    """Read the settings that go with a configuration: of its project, or packed with it by ``kedro package``.

    Args:
        conf_source: Kedro's folder of configuration, or a tar archive of it. Without any settings there are defaults.

    Raises:
        VersioningError: On an unknown key or a wrong value, naming the key.
    """
    text = ""
    if conf_source.is_file() and tarfile.is_tarfile(conf_source):
        with tarfile.open(conf_source) as archive:
            packed = [archive.extractfile(member) for member in archive if Path(member.name).name == FILE]
            text = packed[0].read().decode() if packed and packed[0] else text
    else:
        files = [folder / FILE for folder in (conf_source, conf_source.parent) if (folder / FILE).is_file()]
        text = files[0].read_text(encoding="utf-8") if files else text
    table = tomllib.loads(text).get("tool", {}).get("dvc_stages", {})
    return validate_settings(StagesSettings, table, f"{FILE}: tool.dvc_stages")


def pack_configuration(project: Path, package: str) -> None:
    """Pack ``conf/`` with the files that its links lead to, and these settings, into ``dist/`` of the project."""

    def keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        found = project / member.name
        private = Path(member.name).parts[1:2] == ("local",)
        # A folder that holds stages alone goes with them.
        files = [path for path in found.rglob("*") if path.is_file()] if member.isdir() else [found]
        return None if private or all(path.name.startswith("dvc.") for path in files) else member

    with tarfile.open(project / "dist" / f"conf-{package}.tar.gz", "w:gz", dereference=True) as archive:
        archive.add(project / "conf", "conf", filter=keep)
        archive.add(project / FILE, f"conf/{FILE}")
