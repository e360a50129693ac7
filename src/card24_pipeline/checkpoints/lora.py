"""Low-rank adapters in PEFT's format: read as base plus delta, written from exact low-rank updates."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from card24_pipeline.checkpoints.manifest import CheckpointError
from card24_pipeline.checkpoints.publishing import StagedFolder
from card24_pipeline.checkpoints.reader import ADAPTER_CONFIG, Checkpoint, read_header, read_json

if TYPE_CHECKING:
    import torch

ADAPTER_WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."
_FACTOR = re.compile(re.escape(PREFIX) + r"(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


class AdapterWriter(StagedFolder):
    """Writes low-rank updates as a LoRA adapter that ``PeftModel.from_pretrained`` loads onto the target.

    Every module gets its own rank and a scaling of 1, so that merging adds left @ right.
    """

    def __init__(self, folder: Path, *, target: Checkpoint) -> None:
        """Begin an adapter of ``target``."""
        super().__init__(folder)
        self._target = target
        self._tensors: dict[str, torch.Tensor] = {}
        self._ranks: dict[str, int] = {}

    def add(self, name: str, left: torch.Tensor, right: torch.Tensor) -> None:
        """Add the update left @ right (m × r, r × n) of the weight ``name``; one of rank 0 is left out.

        Raises:
            CheckpointError: If the target has no such weight or its shape differs.
        """
        shape = (left.shape[0], right.shape[1])
        if self._target.describe(name).shape != shape or not name.endswith(".weight"):
            raise CheckpointError(f"{self.folder}: {name} takes no update of shape {list(shape)}")
        module, rank = name.removesuffix(".weight"), left.shape[1]
        if rank:
            self._ranks[module] = rank
            self._tensors[f"{PREFIX}{module}.lora_A.weight"] = right.float().contiguous()
            self._tensors[f"{PREFIX}{module}.lora_B.weight"] = left.float().contiguous()

    def complete(self) -> None:
        """Write weights and configuration; raise a CheckpointError if there is no update at all."""
        from safetensors.torch import save_file

        if not self._ranks:
            raise CheckpointError(f"{self.folder} would hold no update: nothing differs from the target")
        save_file(self._tensors, self.staged / ADAPTER_WEIGHTS, metadata={"format": "pt"})
        rank = max(self._ranks.values())
        # Anchored, for PEFT matches these keys as patterns at the end of a module's name.
        patterns = {f"^{re.escape(module)}": own for module, own in self._ranks.items() if own != rank}
        config = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": str(self._target.folder.resolve()),
            "inference_mode": True,
            "bias": "none",
            "fan_in_fan_out": False,
            "use_rslora": False,
            "lora_dropout": 0.0,
            "r": rank,
            "lora_alpha": rank,
            "rank_pattern": patterns,
            "alpha_pattern": patterns,
            "target_modules": sorted(self._ranks),
        }
        (self.staged / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


class LoraCheckpoint(Checkpoint):
    """A LoRA adapter on its base, read as one checkpoint: W + scaling · B A."""

    def __init__(self, base: Checkpoint, adapter: Path) -> None:
        """Take the base and the adapter's folder.

        Raises:
            CheckpointError: If the adapter is of a kind whose update is not B A alone, or does not fit the base.
        """
        super().__init__(base.folder, base._files, base._infos)
        self.adapter = adapter
        self._base = base
        config = read_json(adapter / ADAPTER_CONFIG)
        if config.get("peft_type") != "LORA":
            raise CheckpointError(f"{adapter / ADAPTER_CONFIG}: expected peft_type LORA, got {config.get('peft_type')}")
        for key, plain in {"use_dora": False, "fan_in_fan_out": False, "modules_to_save": None, "bias": "none"}.items():
            if config.get(key, plain) not in (plain, None, []):
                raise CheckpointError(
                    f"{adapter / ADAPTER_CONFIG}: {key} {config[key]!r} is not supported, merge it first"
                )
        self._scalings = _read_scalings(adapter / ADAPTER_WEIGHTS, config, base)

    def read(self, name: str) -> torch.Tensor:
        """Read a tensor with the adapter's update in it, in the base's dtype; see :meth:`Checkpoint.read`."""
        weight = self._base.read(name)
        if name not in self._scalings:
            return weight
        import torch
        from safetensors import safe_open

        module = PREFIX + name.removesuffix(".weight")
        with safe_open(self.adapter / ADAPTER_WEIGHTS, framework="pt") as stream:
            right, left = (stream.get_tensor(f"{module}.lora_{side}.weight").float() for side in "AB")
        changed = torch.addmm(weight.float(), left, right, alpha=self._scalings[name]).to(weight.dtype)
        if not torch.isfinite(changed).all():
            raise CheckpointError(
                f"{self.adapter / ADAPTER_WEIGHTS}: the update of {name} makes NaN or infinity of {weight.dtype}"
            )
        return changed

    def close(self) -> None:
        """Close the base."""
        self._base.close()


def _read_scalings(file: Path, config: Mapping[str, Any], base: Checkpoint) -> dict[str, float]:
    """Return the scaling of each adapted weight, after checking that its factors fit."""
    header = read_header(file)
    scalings = {}
    for key, info in header.items():
        match = _FACTOR.fullmatch(key)
        if match is None:
            raise CheckpointError(f"{file}: {key} is no LoRA factor of a linear layer")
        name = f"{match['module']}.weight"
        shape = base.describe(name).shape
        rank = info.shape[0] if match["side"] == "A" else info.shape[1]
        wanted = (rank, shape[1]) if match["side"] == "A" else (shape[0], rank)
        other = f"{PREFIX}{match['module']}.lora_{'B' if match['side'] == 'A' else 'A'}.weight"
        if info.shape != wanted or other not in header:
            raise CheckpointError(f"{file}: {key} does not fit {name} of {base.folder}")
        # The first pattern that PEFT would match to the module's name.
        patterns = (config.get("alpha_pattern") or {}).items()
        own = (value for pattern, value in patterns if re.match(rf"(.*\.)?({pattern})$", match["module"]))
        alpha = next(own, config["lora_alpha"])
        scalings[name] = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return scalings
