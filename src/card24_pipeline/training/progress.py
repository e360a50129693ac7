"""Private folders from which a killed run resumes."""

import fcntl
import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import IO

import pandas as pd
from pydantic import BaseModel

from card24_pipeline.checkpoints.manifest import check_manifest

logger = logging.getLogger(__name__)

ProgressInput = Path | pd.DataFrame | BaseModel | int | str

FRESH_VARIABLE = "CARD24_FRESH"
_LOCK = ".lock"
_held: dict[Path, IO[str]] = {}


class ProgressInUseError(RuntimeError):
    """Another process works in a progress folder."""


def open_progress(folder: Path, *inputs: ProgressInput) -> Path:
    """Open the progress folder of a run with these inputs, dropping any that other inputs or code left behind.

    The state of a run is kept under a digest of all its inputs and of the package's source, so a run never
    resumes from something that it would not itself have written.

    Args:
        folder: Progress folder of the stage.
        inputs: What the run's result depends on: checkpoint folders (by manifest), frames, parameters, seeds, device.

    Returns:
        ``folder/<digest>``, with what an interrupted run left there, or empty: when nothing fits, or when the
        environment variable ``CARD24_FRESH`` is set to anything but an empty string.

    Raises:
        ProgressInUseError: If another process has the folder; it is this one's until it ends, however it ends.
    """
    _claim(folder)
    work = folder / digest_inputs(*inputs)
    for path in sorted(folder.iterdir()):
        if path.name == _LOCK:
            continue
        if path != work or os.environ.get(FRESH_VARIABLE):
            logger.info("Dropping the training state in %s: it belongs to other inputs, code or a forced run", path)
            shutil.rmtree(path)
    work.mkdir(parents=True, exist_ok=True)
    return work


def _claim(folder: Path) -> None:
    """Hold the folder's lock until this process ends; the kernel lets go of it then."""
    lock = folder.resolve() / _LOCK
    held = _held.get(lock)
    while held is None or not _is_at(lock, held):  # another process may remove the folder as this one takes the lock
        folder.mkdir(parents=True, exist_ok=True)
        held = lock.open("a")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            raise ProgressInUseError(
                f"{folder} is in use: another process runs this stage; wait until it has ended, or end it"
            ) from None
    _held[lock] = held


def _is_at(path: Path, stream: IO[str]) -> bool:
    """Tell whether an open file is still the one at its path."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def digest_inputs(*inputs: ProgressInput) -> str:
    """Return 16 hexadecimal digits that change with any input or any source file of the package."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.read_bytes())
    for value in inputs:
        if isinstance(value, Path):
            text = json.dumps(check_manifest(value), sort_keys=True)
        elif isinstance(value, pd.DataFrame):
            text = value.to_csv(index=False)
        else:
            text = value.model_dump_json() if isinstance(value, BaseModel) else str(value)
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:16]
