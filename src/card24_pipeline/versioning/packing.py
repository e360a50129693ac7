"""The archive of a project's configuration that goes with its wheel."""

from __future__ import annotations

import tarfile
from pathlib import Path

from card24_pipeline.versioning.settings import FILE


def pack_configuration(project: Path, package: str) -> None:
    """Pack ``conf/`` with the files that its links lead to, and the settings of the fan-out keys.

    Args:
        project: Root of the project.
        package: Name of its package.
    """

    def keep(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        private = Path(member.name).parts[1:2] == ("local",) or Path(member.name).name.startswith("dvc.")
        return None if private else member

    with tarfile.open(project / "dist" / f"conf-{package}.tar.gz", "w:gz", dereference=True) as archive:
        archive.add(project / "conf", "conf", filter=keep)
        archive.add(project / FILE, f"conf/{FILE}")
