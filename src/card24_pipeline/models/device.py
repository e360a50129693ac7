"""Where models compute: the only place that knows of devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

DeviceName = Literal["cpu", "cuda", "mps", "auto"]


def find_device(name: str) -> torch.device:
    """Return the device of this name; ``auto`` is the first of cuda, mps and cpu that there is.

    Raises:
        ValueError: If this machine, or this build of torch, has no such device.
    """
    import torch

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(each for each, there in found.items() if there)
    if not found.get(name, False):
        usable = ", ".join(each for each, there in found.items() if there)
        raise ValueError(f"device: there is no {name} here: expected auto or one of {usable}")
    return torch.device(name)
