"""The manifest that marks a folder as whole: written last, naming every other file with its size and digest."""

import hashlib
import json
import os
from pathlib import Path

MANIFEST = "manifest.json"


class CheckpointError(ValueError):
    """A checkpoint folder is missing, incomplete or damaged."""


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as a hexadecimal string."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_manifest(folder: Path) -> None:
    """Write ``manifest.json`` for a folder whose other files are complete, in one rename.

    It lists every file below ``folder`` by relative path with its size in bytes and its SHA-256.
    """
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": digest_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }
    staged = folder / f".{MANIFEST}"
    staged.write_text(json.dumps({"files": files}, indent=1, sort_keys=True) + "\n")
    os.replace(staged, folder / MANIFEST)


def check_manifest(folder: Path) -> dict[str, str]:
    """Check that a folder has a manifest and that every file it names is there in full length.

    Returns:
        The SHA-256 that the manifest records for each file, by relative path.

    Raises:
        CheckpointError: If the folder, its manifest or a file is missing, or a file's length differs.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise CheckpointError(f"{folder} is no complete checkpoint folder: it has no {MANIFEST}")
    try:
        files = json.loads(manifest.read_text())["files"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise CheckpointError(f"{manifest} is not a manifest of files: {error}") from error
    for name, facts in files.items():
        path = folder / name
        if not path.is_file():
            raise CheckpointError(f"{path} is missing, though {manifest} names it")
        if (found := path.stat().st_size) != facts["bytes"]:
            raise CheckpointError(f"{path} has {found} bytes, but {manifest} says {facts['bytes']}")
    return {name: facts["sha256"] for name, facts in files.items()}
