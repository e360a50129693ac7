"""What a try is worth in reinforcement learning."""

import math
from dataclasses import dataclass, fields

from card24_pipeline.game.errors import GameError
from card24_pipeline.game.verdicts import Outcome, Verdict


@dataclass(frozen=True)
class RewardTable:
    """The reward of each outcome; the defaults are the published ones (arXiv 2501.17161).

    Raises:
        GameError: an entry is no finite number.
    """

    correct: float = 5.0
    legal_prefix: float = 1.0
    wrong_value: float = -1.0
    wrong_numbers: float = -2.0
    illegal: float = -3.0
    no_formula: float = -3.0

    def __post_init__(self) -> None:
        """Reject what is no finite number, naming the entry."""
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) not in (int, float) or not math.isfinite(value):
                raise GameError(f"reward {field.name!r} is {value!r}; expected a finite number")

    def reward(self, judged: Verdict | Outcome) -> float:
        """Return the reward of a verdict or outcome."""
        outcome = judged.outcome if isinstance(judged, Verdict) else judged
        return float(getattr(self, Outcome(outcome).value))
