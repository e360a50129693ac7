"""Choose the checkpoints that later stages start from."""

import math

import pandas as pd
from pydantic import NonNegativeInt

from card24_pipeline.parameters.base import Params


class SelectionParams(Params):
    """The rule by which checkpoints are chosen for what follows; ``split`` is one for choosing, ``NAME_select``."""

    split: str
    ladder_rungs: NonNegativeInt


def select_checkpoints(sft_scores: pd.DataFrame, params: SelectionParams) -> pd.DataFrame:
    """Choose MaxOOD, End and a ladder between them, looking at the selection split only.

    MaxOOD is the SFT step with the highest pass@1 on ``params.split`` (the earliest of equals), End the last step.
    The ladder's rungs are the steps between the two that lie closest to evenly spaced points of log(step).

    Returns:
        One row per chosen checkpoint in order of steps: ``role`` (``max_ood``, ``rung_1`` …, ``end``), ``step`` and
        ``pass_at_1`` on the selection split. Where the last step is itself MaxOOD it has both rows.
    """
    whole = sft_scores[(sft_scores["split"] == params.split) & (sft_scores["base_met_multiset"] == "all")]
    by_step = whole.set_index("step")["pass_at_1"].sort_index()
    all_steps: list[int] = by_step.index.tolist()
    max_ood, end = all_steps[int(by_step.argmax())], all_steps[-1]
    between = [step for step in all_steps if max_ood < step < end]
    rungs = choose_rungs(between, low=max_ood, high=end, rungs=params.ladder_rungs)
    roles = ["max_ood", *(f"rung_{number}" for number in range(1, len(rungs) + 1)), "end"]
    steps = [max_ood, *rungs, end]
    return pd.DataFrame({"role": roles, "step": steps, "pass_at_1": by_step.loc[steps].to_numpy()})


def choose_rungs(steps: list[int], *, low: int, high: int, rungs: int) -> list[int]:
    """Choose up to ``rungs`` of ``steps``, closest in log(step) to even spacing between ``low`` and ``high``."""
    chosen: list[int] = []
    for rung in range(1, min(rungs, len(steps)) + 1):
        wanted = math.log(low) + rung / (rungs + 1) * math.log(high / low)
        left = [step for step in steps if step not in chosen]
        chosen.append(min(left, key=lambda step: abs(math.log(step) - wanted)))
    return sorted(chosen)
