"""The learning rate of each update of reinforcement learning."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from card24_pipeline.training.rl_params import OptimiserParams


def learning_rate_share(number: int, settings: OptimiserParams, *, updates: int) -> float:
    """Return the share of the peak learning rate at update ``number``, counted from 1 to ``updates``.

    It rises linearly over the warm-up and then stays, or falls to zero just after the last update, along a line or
    half a cosine.
    """
    if number <= settings.warmup_updates:
        return number / settings.warmup_updates
    done = (number - settings.warmup_updates - 1) / max(1, updates - settings.warmup_updates)
    shapes = {"constant": 1.0, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}
    return shapes[settings.learning_rate_shape]
