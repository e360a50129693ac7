"""Recovery of anyone's checkpoint: an edited folder or a LoRA adapter, with a report of what moved."""

import json
import logging
import math
import shutil
import time
from collections.abc import Mapping
from contextlib import ExitStack
from math import prod
from pathlib import Path
from statistics import mean, median
from typing import Any, Literal

from torch import Tensor
from tqdm import tqdm

from card24_pipeline.checkpoints.folder_writer import FolderWriter
from card24_pipeline.checkpoints.lora import AdapterWriter
from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.opening import open_checkpoint, resolve_checkpoint
from card24_pipeline.checkpoints.publishing import check_vacant
from card24_pipeline.checkpoints.reader import check_same_model, count_bytes
from card24_pipeline.checkpoints.selection import describe_tensors, is_layer_matrix
from card24_pipeline.edits.applying import TARGET, Workbench, apply_edit, equals_donor, make_change
from card24_pipeline.edits.edit import Edit
from card24_pipeline.edits.registry import list_methods
from card24_pipeline.spectral.movement import OBSERVED, SpectraSettings, measure_change

logger = logging.getLogger(__name__)

Form = Literal["checkpoint", "adapter"]
REPORT = "recovery_report.json"
NEAR_FULL_SIZE = 0.5  # of the matrix's own entries: from here on an adapter saves little
USUAL_FRACTION = 0.2  # of the directions are reported on, where the edit itself does not name some of them


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
        edit: What to do.
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
        opened = [stack.enter_context(open_checkpoint(resolve_checkpoint(one))) for one in (donor, target)]
        check_same_model(*opened)
        places, shapes = describe_tensors(opened[1])
        touched = edit.list_touched(places, shapes)
        adapts = form == "adapter"
        size = _check_adapter(edit, {name: shapes[name] for name in touched}) if adapts else count_bytes(opened[1])
        check_disk(folder, size)
        writer = AdapterWriter(folder, target=opened[1]) if adapts else FolderWriter(folder, like=opened[1])
        report: dict[str, Any] = {
            "donor": str(donor),
            "target": str(target),
            "edit": edit.name,
            "form": form,
            "tensors_touched": len(touched),
            "tensors": len(shapes),
            "edit_flops": edit.count_flops(places, shapes),
        }
        with writer:
            matrices = []
            for name in tqdm(touched if adapts else shapes, desc="Recovering", unit="tensor", mininterval=1.0):
                bench = Workbench(name, places[name], {edit.donor: opened[0]}, opened[1])
                edited = _write_tensor(writer, edit, bench)
                if edit.touches(places[name], shapes[name]) and is_layer_matrix(places[name], shapes[name]):
                    matrices.append(describe_movement(bench, edited, edit, null_draws))
            numbers = [name for name in (matrices[0] if matrices else ()) if name != "tensor"]
            known = {name: [one[name] for one in matrices if one[name] is not None] for name in numbers}
            report["medians"] = {name: median(values) for name, values in known.items() if values}
            report |= {"matrices": matrices, "seconds": time.perf_counter() - started}
            (writer.staged / REPORT).write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
    return report


def check_disk(folder: Path, size: int) -> None:
    """Say what is about to be written; raise a CheckpointError if the disk has less than ``size`` bytes left."""
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


def _write_tensor(writer: AdapterWriter | FolderWriter, edit: Edit, bench: Workbench) -> Tensor:
    """Write one tensor, or its low-rank update, and return it as edited."""
    weight, name = bench.history.tensor(TARGET), bench.history.name
    if isinstance(writer, FolderWriter):
        edited = apply_edit(edit, bench)
        writer.add(name, edited)
        return edited
    if equals_donor(edit, bench):
        return weight
    left, right = make_change(edit, bench)
    writer.add(name, left, right)
    return weight.float() + left @ right


def describe_movement(bench: Workbench, edited: Tensor, edit: Edit, null_draws: int) -> dict[str, Any]:
    """Describe what lies between donor and target in one matrix, and how far an edit went.

    Returns:
        ``tensor``; the median relative shift of singular values from donor to target; the mean principal angles, left
        and right, of the top directions (as many as the edit restores, or a fifth) in degrees, as measured and for
        each null model; ‖ΔW‖/‖W‖ from donor to target; and ‖W' − W‖/‖W‖ of the edit. At least one direction is
        taken, however small the matrix. None stands for what is not defined, as for a matrix of zeros.
    """
    weight = bench.history.tensor(TARGET).float()
    fraction = edit.knob if edit.knob is not None and 0 < edit.knob < 1 else USUAL_FRACTION
    settings = SpectraSettings((max(fraction, 1 / min(weight.shape)),), null_draws, edit.seed)
    rows, _ = measure_change(bench.history, edit.donor, TARGET, settings)
    whole = next(row for row in rows if row["model"] == OBSERVED and row["band"] == "all")
    found = {
        "relative_sigma_shift": whole["relative_sigma_shift"],
        "norm_ratio": whole["norm_ratio"],
        "edit_norm_ratio": float((edited.float() - weight).norm() / weight.norm()),
    }
    for side in ("left", "right"):
        key = f"{side}_angle_degrees"
        for model in dict.fromkeys(row["model"] for row in rows):
            found[f"{model}_{key}"] = mean(row[key] for row in rows if row["model"] == model and row["band"] == "top")
    defined = {key: value if math.isfinite(value) else None for key, value in found.items()}
    return {"tensor": bench.history.name, **defined}
