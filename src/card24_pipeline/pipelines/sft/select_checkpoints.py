"""Choose the checkpoints that later stages start from."""

import math
from typing import Annotated

import pandas as pd
from pydantic import Field, NonNegativeInt

from card24_pipeline.parameters.base import Params


class SelectionParams(Params):
    """The rule by which checkpoints are chosen for what follows.

    ``split`` is an OOD one for choosing, ``NAME_select``; ``id_percents`` are levels of pass@1 on ``id_select``.
    """

    split: str
    ladder_rungs: NonNegativeInt
    id_percents: list[Annotated[int, Field(ge=1, le=99)]]


def select_checkpoints(sft_scores: pd.DataFrame, params: SelectionParams) -> pd.DataFrame:
    """Choose MaxOOD, End, a ladder between them, and checkpoints of comparable ID, by the splits for choosing only.

    MaxOOD is the SFT step with the highest pass@1 on ``params.split`` (the earliest of equals), End the last step.
    The ladder's rungs are the steps between the two that lie closest to evenly spaced points of log(step). ``id_60``
    is the earliest step that solves 60 % of ``id_select``; a run that never does has none.

    Returns:
        One row per role: ``role`` (``max_ood``, ``rung_1`` …, ``end``, ``id_60`` …), ``step`` and ``pass_at_1`` on the
        OOD split for choosing. A step may have several roles.
    """
    by_step = _read_levels(sft_scores, params.split)
    all_steps: list[int] = by_step.index.tolist()
    max_ood, end = all_steps[int(by_step.argmax())], all_steps[-1]
    between = [step for step in all_steps if max_ood < step < end]
    rungs = choose_rungs(between, low=max_ood, high=end, rungs=params.ladder_rungs)
    chosen = {"max_ood": max_ood, **{f"rung_{number}": step for number, step in enumerate(rungs, start=1)}, "end": end}
    practised = _read_levels(sft_scores, "id_select")
    for percent in sorted(set(params.id_percents)):
        reached = practised.index[practised >= percent / 100].tolist()
        chosen |= {f"id_{percent}": reached[0]} if reached else {}
    steps = list(chosen.values())
    return pd.DataFrame({"role": list(chosen), "step": steps, "pass_at_1": by_step.loc[steps].to_numpy()})


def _read_levels(scores: pd.DataFrame, split: str) -> pd.Series:
    """Return pass@1 on a split by step, ascending."""
    whole = scores[(scores["split"] == split) & (scores["base_met_multiset"] == "all")]
    return whole.set_index("step")["pass_at_1"].sort_index()


def choose_rungs(steps: list[int], *, low: int, high: int, rungs: int) -> list[int]:
    """Choose up to ``rungs`` of ``steps``, closest in log(step) to even spacing between ``low`` and ``high``."""
    chosen: list[int] = []
    for rung in range(1, min(rungs, len(steps)) + 1):
        wanted = math.log(low) + rung / (rungs + 1) * math.log(high / low)
        left = [step for step in steps if step not in chosen]
        chosen.append(min(left, key=lambda step: abs(math.log(step) - wanted)))
    return sorted(chosen)
