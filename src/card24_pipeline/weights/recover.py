"""Recovery of anyone's checkpoint: an edited folder or a LoRA adapter, with a report of what moved."""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from math import prod
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from tqdm import tqdm

from card24_pipeline.checkpoints.folder_writer import FolderWriter
from card24_pipeline.checkpoints.hub import resolve_checkpoint
from card24_pipeline.checkpoints.lora import AdapterWriter, LowRankUpdate
from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.reader import Checkpoint, check_same_model, open_checkpoint
from card24_pipeline.checkpoints.selection import Place, is_matrix
from card24_pipeline.checkpoints.staging import check_vacant
from card24_pipeline.weights.costs import count_edit_flops
from card24_pipeline.weights.editing import Workbench, apply_edit, describe_tensors
from card24_pipeline.weights.edits import MATRIX_PARTS, Edit, Method
from card24_pipeline.weights.movement import describe_movement

if TYPE_CHECKING:
    from card24_pipeline.spectral.decomposition import Factors

logger = logging.getLogger(__name__)

Form = Literal["checkpoint", "adapter"]
DONOR = "donor"
REPORT = "recovery_report.json"
LOW_RANK_METHODS = (Method.uv_top, Method.uv_tail, Method.singular_values)
NEAR_FULL_SIZE = 0.5  # of the matrix's own entries: from here on an adapter saves little
SHARD_BYTES = 256 * 2**20


def recover_checkpoint(
    donor: Path | str,
    target: Path | str,
    output: Path | str,
    edit: Edit,
    *,
    form: Form = "checkpoint",
    null_draws: int = 1,
) -> dict[str, Any]:
    """Edit a target checkpoint toward a donor and write the result beside a report.

    One tensor of each checkpoint is in memory at a time, and up to a shard of the output.

    Args:
        donor: Checkpoint folder, LoRA adapter folder or ``hub:organisation/name[@revision]`` that still has the skill.
        target: The same, of the checkpoint to repair.
        output: New folder.
        edit: What to do; its donor must be called ``donor``.
        form: ``checkpoint`` for a whole folder that ``from_pretrained`` opens, ``adapter`` for the exact low-rank
            update as a LoRA adapter of the target (``uv_top``, ``uv_tail`` and ``singular_values`` only).
        null_draws: Draws of each null model that the measured angles are held against; 0 for none.

    Returns:
        The report, also written to ``recovery_report.json`` in the folder.

    Raises:
        CheckpointError: If a checkpoint cannot be read, the two are not the same model, the folder is taken, the disk
            is too small, or the edit touches nothing.
        ValueError: If the edit has no low-rank form, or an adapter would be larger than the matrices it changes.
    """
    started = time.perf_counter()
    folder = Path(output).expanduser()
    check_vacant(folder)
    with ExitStack() as stack:
        giver, taker = (stack.enter_context(open_checkpoint(resolve_checkpoint(one))) for one in (donor, target))
        check_same_model(giver, taker)
        places, shapes = describe_tensors(taker)
        touched = [name for name, place in places.items() if edit.touches(place, shapes[name])]
        if not touched:
            raise CheckpointError(f"{edit.name} would touch no tensor of {taker.folder}")
        if form == "adapter":
            size = _check_adapter(edit, {name: shapes[name] for name in touched})
        else:
            size = sum(count_bytes(taker, name) for name in taker.names)
        check_disk(folder, size)
        write = _write_adapter if form == "adapter" else _write_checkpoint
        report = {
            "donor": str(donor),
            "target": str(target),
            "edit": edit.name,
            "form": form,
            "tensors_touched": len(touched),
            "tensors": len(taker.names),
            "edit_flops": count_edit_flops(edit, places, shapes),
        }
        write(folder, giver, taker, places, edit, null_draws, report, started)
    return report


def count_bytes(checkpoint: Checkpoint, name: str) -> int:
    """Return the size of a tensor in bytes, from its header."""
    info = checkpoint.describe(name)
    width = re.search(r"\d+", info.dtype)
    return prod(info.shape) * (int(width.group()) // 8 if width else 1)


def check_disk(folder: Path, size: int) -> None:
    """Say what is about to be written, and check that it fits.

    Raises:
        CheckpointError: If the disk has less than ``size`` bytes left.
    """
    parent = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(parent).free
    logger.info("Will write %.2f GB to %s, where %.1f GB are free", size / 1e9, folder, free / 1e9)
    if size > free:
        raise CheckpointError(f"{folder} needs {size / 1e9:.2f} GB, but {parent} has {free / 1e9:.2f} GB left")


def _check_adapter(edit: Edit, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Return the adapter's size in bytes, after checking that one can be made and is worth it."""
    from card24_pipeline.spectral.decomposition import count_directions

    if edit.method not in LOW_RANK_METHODS or edit.embeddings:
        methods = ", ".join(LOW_RANK_METHODS)
        raise ValueError(f"{edit.name} is no low-rank update: an adapter takes {methods}, without embeddings")
    size = 0
    largest = (0.0, "")
    for name, shape in shapes.items():
        rank = min(shape) if edit.knob is None else 2 * count_directions(edit.knob, shape)
        entries = rank * sum(shape)
        size += 4 * entries
        largest = max(largest, (entries / prod(shape), name))
    share, name = largest
    if share > 1:
        raise ValueError(
            f"{edit.name}: the adapter of {name} would have {share:.2f} times the matrix's own entries; "
            "lower the fraction or write a checkpoint"
        )
    if share > NEAR_FULL_SIZE:
        logger.warning("The adapter of %s has %.0f %% of the matrix's own entries", name, 100 * share)
    return size


def _write_checkpoint(
    folder: Path,
    donor: Checkpoint,
    target: Checkpoint,
    places: Mapping[str, Place],
    edit: Edit,
    null_draws: int,
    report: dict[str, Any],
    started: float,
) -> None:
    with FolderWriter(folder, like=target, max_shard_bytes=SHARD_BYTES) as writer:
        matrices = []
        for name, place in tqdm(places.items(), desc="Recovering", unit="tensor", mininterval=1.0):
            bench = Workbench(name, place, {DONOR: donor}, target)
            edited = apply_edit(edit, bench)
            writer.add(name, edited)
            if _is_measured(edit, bench):
                matrices.append(describe_movement(bench, DONOR, edited, edit, null_draws))
        _finish_report(writer.staged, report, matrices, started)


def _write_adapter(
    folder: Path,
    donor: Checkpoint,
    target: Checkpoint,
    places: Mapping[str, Place],
    edit: Edit,
    null_draws: int,
    report: dict[str, Any],
    started: float,
) -> None:
    touched = [name for name, place in places.items() if edit.touches(place, target.describe(name).shape)]
    with AdapterWriter(folder, target=target) as writer:
        matrices = []
        for name in tqdm(touched, desc="Recovering", unit="matrix", mininterval=1.0):
            bench = Workbench(name, places[name], {DONOR: donor}, target)
            update = split_edit(edit, bench.donor_factors(DONOR), bench.target_factors)
            writer.add(name, update)
            edited = bench.weight.float() + update.left @ update.right
            matrices.append(describe_movement(bench, DONOR, edited, edit, null_draws))
        _finish_report(writer.staged, report, matrices, started)


def split_edit(edit: Edit, donor: Factors, target: Factors) -> LowRankUpdate:
    """Return the update that an edit with a low-rank form adds to one matrix."""
    from card24_pipeline.spectral.merges import split_directions, split_singular_values

    if edit.method is Method.singular_values:
        return LowRankUpdate(*split_singular_values(donor, target))
    band = "top" if edit.method is Method.uv_top else "tail"
    return LowRankUpdate(*split_directions(donor, target, sigma=edit.sigma, **{band: edit.amount}))


def _is_measured(edit: Edit, bench: Workbench) -> bool:
    """Tell whether the report measures a tensor: every edited matrix of attention and MLP."""
    shape = tuple(bench.weight.shape)
    return edit.touches(bench.place, shape) and bench.place.part in MATRIX_PARTS and is_matrix(shape)


def _finish_report(staged: Path, report: dict[str, Any], matrices: list[dict[str, Any]], started: float) -> None:
    """Add the matrices, their medians and the time, and write the report among the other files."""
    numbers = [key for key, value in (matrices[0] if matrices else {}).items() if isinstance(value, float)]
    report["medians"] = {key: median(one[key] for one in matrices) for key in numbers}
    report["matrices"] = matrices
    report["seconds"] = time.perf_counter() - started
    (staged / REPORT).write_text(json.dumps(report, indent=1) + "\n")
