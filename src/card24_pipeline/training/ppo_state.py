"""The state from which a PPO run goes on: open formats, and whole or absent."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from card24_pipeline.checkpoints.manifest import CheckpointError, check_manifest, write_manifest
from card24_pipeline.checkpoints.publishing import publish_folder

if TYPE_CHECKING:
    import torch

    from card24_pipeline.training.policy import PolicyWithValue

logger = logging.getLogger(__name__)

_MOMENTS = ("exp_avg", "exp_avg_sq")


def save_state(
    folder: Path, policy: PolicyWithValue, optimiser: torch.optim.AdamW, history: list[dict[str, float]]
) -> None:
    """Write parameters, Adam's moments and step, and the history so far to ``folder/after_<updates>``.

    Older states go once this one is whole, so at any moment at least one is.
    """
    import torch
    from safetensors.torch import save_file

    tensors = {}
    for name, parameter in policy.named_parameters():
        kept = optimiser.state[parameter]
        tensors[f"parameter.{name}"] = parameter.detach()
        tensors[f"step.{name}"] = torch.as_tensor(kept["step"])
        tensors |= {f"{moment}.{name}": kept[moment] for moment in _MOMENTS}
    target = folder / f"after_{len(history)}"
    staged = folder / f".{target.name}.partial"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, staged / "state.safetensors")
    (staged / "history.json").write_text(json.dumps(history))
    write_manifest(staged)
    publish_folder(staged, target)
    for path in folder.iterdir():
        if path != target:
            shutil.rmtree(path)


def load_state(folder: Path, policy: PolicyWithValue, optimiser: torch.optim.AdamW) -> list[dict[str, float]]:
    """Put the newest whole state back in place, and return its history; an empty one if no state is whole."""
    import torch
    from safetensors.torch import load_file

    states = sorted(folder.glob("after_*"), key=lambda path: int(path.name.removeprefix("after_")), reverse=True)
    state = next(filter(_is_whole, states), None)
    if state is None:
        return []
    tensors = load_file(state / "state.safetensors")
    with torch.no_grad():
        for name, parameter in policy.named_parameters():
            parameter.copy_(tensors[f"parameter.{name}"])
            kept = {part: tensors[f"{part}.{name}"].to(parameter.device) for part in ("step", *_MOMENTS)}
            optimiser.state[parameter] = kept
    history: list[dict[str, float]] = json.loads((state / "history.json").read_text())
    logger.info("Resuming after update %d", len(history))
    return history


def _is_whole(state: Path) -> bool:
    """Say whether a state's files are all there in full length."""
    try:
        check_manifest(state)
    except CheckpointError as error:
        logger.info("Passing over a state that is not whole: %s", error)
        return False
    return True
