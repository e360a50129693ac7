"""Recovery of anyone's checkpoint: an edited folder or a LoRA adapter, with a report of what moved."""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from collections.abc import Mapping, Sequence
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
from card24_pipeline.checkpoints.opening import open_checkpoint
from card24_pipeline.checkpoints.publishing import check_vacant
from card24_pipeline.checkpoints.reader import Checkpoint, check_same_model
from card24_pipeline.checkpoints.selection import describe_tensors, is_layer_matrix
from card24_pipeline.edits.applying import Workbench, apply_edit, equals_donor, list_touched, make_change
from card24_pipeline.edits.costs import count_edit_flops
from card24_pipeline.edits.edit import Edit
from card24_pipeline.edits.registry import list_methods
from card24_pipeline.tools.movement import describe_movement

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

Form = Literal["checkpoint", "adapter"]
DONOR = "donor"
REPORT = "recovery_report.json"
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
            update as a LoRA adapter of the target (low-rank methods only).
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
        pair = [stack.enter_context(open_checkpoint(resolve_checkpoint(one))) for one in (donor, target)]
        check_same_model(*pair)
        places, shapes = describe_tensors(pair[1])
        touched = list_touched(edit, pair[1], places, shapes)
        adapts = form == "adapter"
        size = _check_adapter(edit, {name: shapes[name] for name in touched}) if adapts else count_bytes(pair[1])
        check_disk(folder, size)
        report: dict[str, Any] = {
            "donor": str(donor),
            "target": str(target),
            "edit": edit.name,
            "form": form,
            "tensors_touched": len(touched),
            "tensors": len(shapes),
            "edit_flops": count_edit_flops(edit, places, shapes),
        }
        writer = (
            AdapterWriter(folder, target=pair[1])
            if adapts
            else FolderWriter(folder, like=pair[1], max_shard_bytes=SHARD_BYTES)
        )
        with writer:
            matrices = []
            for name in tqdm(touched if adapts else shapes, desc="Recovering", unit="tensor", mininterval=1.0):
                bench = Workbench(name, places[name], {DONOR: pair[0]}, pair[1])
                edited = _write_tensor(writer, edit, bench)
                if edit.touches(places[name], shapes[name]) and is_layer_matrix(places[name], shapes[name]):
                    matrices.append(describe_movement(bench, edited, edit, null_draws))
            report |= {"medians": _take_medians(matrices), "matrices": matrices}
            report["seconds"] = time.perf_counter() - started
            (writer.staged / REPORT).write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    return report


def count_bytes(checkpoint: Checkpoint) -> int:
    """Return the size of a checkpoint's tensors in bytes, from their headers."""
    infos = [checkpoint.describe(name) for name in checkpoint.names]
    widths = [re.search(r"\d+", info.dtype) for info in infos]
    return sum(
        prod(info.shape) * (int(width.group()) // 8 if width else 1) for info, width in zip(infos, widths, strict=True)
    )


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
    if not edit.definition.low_rank or edit.embeddings:
        methods = ", ".join(method.name for method in list_methods() if method.low_rank)
        raise ValueError(f"{edit.name} is no low-rank update: an adapter takes {methods}, without embeddings")
    entries = {name: edit.definition.count_outer_products(edit.knob, one) * sum(one) for name, one in shapes.items()}
    share, name = max((entries[name] / prod(shape), name) for name, shape in shapes.items())
    if share > 1:
        raise ValueError(
            f"{edit.name}: the adapter of {name} would have {share:.2f} times the matrix's own entries; "
            "lower the fraction or write a checkpoint"
        )
    if share > NEAR_FULL_SIZE:
        logger.warning("The adapter of %s has %.0f %% of the matrix's own entries", name, 100 * share)
    return 4 * sum(entries.values())


def _write_tensor(writer: AdapterWriter | FolderWriter, edit: Edit, bench: Workbench) -> torch.Tensor:
    """Write one tensor, or its low-rank update, and return it as edited."""
    if isinstance(writer, FolderWriter):
        edited = apply_edit(edit, bench)
        writer.add(bench.name, edited)
        return edited
    if equals_donor(edit, bench):
        return bench.weight
    left, right = make_change(edit, bench)
    writer.add(bench.name, LowRankUpdate(left, right))
    return bench.weight.float() + left @ right


def _take_medians(matrices: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the median over matrices of every number that they have."""
    names = dict.fromkeys(key for one in matrices for key, value in one.items() if isinstance(value, float))
    return {name: median(one[name] for one in matrices if one[name] is not None) for name in names}
