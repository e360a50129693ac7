"""Training states of transformers' trainers: whole or absent."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from card24_pipeline.checkpoints.manifest import CheckpointError, check_manifest, digest_file, write_manifest
from card24_pipeline.checkpoints.publishing import publish_folder

logger = logging.getLogger(__name__)

_STATES = "checkpoint-*"


class WholeStates:
    """Mix-in of a ``Trainer``: a state is written beside its place, file by file, and appears there when whole."""

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save the state and remove older ones; a kill at any moment leaves the newest state that was whole.

        Several processes would tread on each other's files; they save as the library does, and nothing resumes.
        """
        args: Any = self.args  # type: ignore[attr-defined]
        if args.world_size > 1:
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
            return
        folder = Path(args.output_dir)
        staged = folder / ".partial"
        shutil.rmtree(staged, ignore_errors=True)
        args.output_dir = str(staged)
        try:
            super()._save_checkpoint(model, trial)  # type: ignore[misc]
        finally:
            args.output_dir = str(folder)
        (state,) = staged.glob(_STATES)
        write_manifest(state)
        publish_folder(state, folder / state.name)
        for path in (staged, *folder.glob(_STATES)):
            if path.name != state.name:
                shutil.rmtree(path)


def find_trainer_state(folder: Path) -> Path | None:
    """Return the newest whole state; ones that are not are passed over with a word."""
    states = sorted(folder.glob(_STATES), key=read_trainer_step, reverse=True)
    return next(filter(_is_whole, states), None)


def read_trainer_step(state: Path) -> int:
    """Return the optimiser step after which a trainer's state was saved."""
    return int(state.name.rpartition("-")[2])


def _is_whole(state: Path) -> bool:
    """Say whether a state's files are all there, byte for byte."""
    try:
        for name, digest in check_manifest(state).items():
            if digest_file(state / name) != digest:
                raise CheckpointError(f"{state / name} was damaged: its bytes are not those that were written")
    except CheckpointError as error:
        logger.info("Passing over a training state that is not whole: %s", error)
        return False
    return True
