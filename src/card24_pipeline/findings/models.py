"""The models of a study, and who solved which hand: one column for each model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from card24_pipeline.study.vocabulary import BASE, END, MAX_OOD, MIDDLE, sort_roles

HAND = ["seed", "split", "base_met_multiset", "hand", "multiset"]
MODEL_COLUMNS = [
    "model", "kind", "sft_arm", "arm", "role", "step", "family", "method", "donor", "knob_name", "knob", "sigma",
    "matrices", "embeddings", "cost_flops",
]  # fmt: skip
STEP_ROLE = "step"
"""Role of the SFT checkpoints by step, beside those by role, which stand for one step or another by the seed."""


@dataclass(frozen=True)
class ScoredHands:
    """Graded hands of every model, seeds and arms together.

    Attributes:
        base: The base's, which seeds share.
        sft: By ``seed``, ``sft_arm`` and ``step``.
        rl: By ``seed``, ``rl_arm`` and ``from_step``.
        edits: By ``seed``, ``edit_arm`` and ``variant``.
        selected: ``seed``, ``sft_arm``, ``role``, ``step``; two roles may share a step.
        sft_arms: The SFT arm of every RL arm and edit arm.
    """

    base: pd.DataFrame
    sft: pd.DataFrame
    rl: pd.DataFrame
    edits: pd.DataFrame
    selected: pd.DataFrame
    sft_arms: Mapping[tuple[str, str], str]


def name_model(arm: str, name: Any) -> str:
    """Name a model by its arm: ``main/end``, ``main/step 40``, ``plain/from end``, ``main/uv_top donor=base``."""
    return f"{arm}/{name}"


def lay_out_hands(scored: ScoredHands) -> pd.DataFrame:
    """Lay the hands out with one row per seed and hand (index ``HAND``), and one 0/1 column per model.

    Beside the models that were scored stand means over the rungs of a ladder (``MIDDLE``). A model is NaN in seeds
    that lack it, and on splits that it was not scored on.

    Raises:
        ValueError: If a model was scored on some of a seed's hands of a split only: nothing would be paired.
    """
    steps = scored.sft.assign(model=scored.sft["sft_arm"] + "/step " + scored.sft["step"].astype(str))
    roles = scored.sft.merge(scored.selected, on=["seed", "sft_arm", "step"])
    roles["model"] = roles["sft_arm"] + "/" + roles["role"]
    parts = [steps, roles]
    if len(scored.rl):
        arms = [scored.sft_arms["rl", arm] for arm in scored.rl["rl_arm"]]
        starts = scored.selected.rename(columns={"step": "from_step"})
        played = scored.rl.assign(sft_arm=arms).merge(starts, on=["seed", "sft_arm", "from_step"])
        parts.append(played.assign(model=played["rl_arm"] + "/from " + played["role"]))
    if len(scored.edits):
        parts.append(scored.edits.assign(model=scored.edits["edit_arm"] + "/" + scored.edits["variant"]))
    long = pd.concat([part[[*HAND, "model", "passed"]] for part in parts], ignore_index=True)
    wide = long.astype({"passed": np.float64}).pivot(index=HAND, columns="model", values="passed")
    wide.columns.name = None
    base = scored.base.set_index(["split", "hand"])["passed"].astype(np.float64)
    wide[BASE] = base.reindex(
        pd.MultiIndex.from_arrays([wide.index.get_level_values(n) for n in ("split", "hand")])
    ).array
    _check_hands(wide)
    return pd.concat([wide, _average_rungs(wide)], axis="columns")


def list_models(
    scored: ScoredHands, models: pd.DataFrame, variants: pd.DataFrame, history: pd.DataFrame
) -> pd.DataFrame:
    """List every model with what it is and what it cost.

    Args:
        scored: The hands.
        models: Output of ``lay_out_hands``.
        variants: What each edit is, by ``seed``, ``edit_arm`` and ``variant``, with its ``edit_flops``.
        history: Updates of RL by ``seed``, ``rl_arm`` and ``from_step``, with ``flops`` from the start of a run.

    Returns:
        Columns ``MODEL_COLUMNS``, one row per model: ``kind`` (base, sft, rl or edit), ``arm`` (of RL or edits),
        ``role`` of the SFT checkpoint that it is or started from, and ``cost_flops`` for one seed, a mean over seeds:
        of the edit, of all updates of RL, 0 for a checkpoint as it is.

    Raises:
        ValueError: If a variant was described and not scored, or scored and not described.
    """
    blank: dict[str, Any] = dict.fromkeys(MODEL_COLUMNS, "") | {"step": 0, "knob": np.nan, "embeddings": False}
    rows = [blank | {"model": BASE, "kind": "base", "role": BASE, "family": BASE, "method": BASE, "cost_flops": 0.0}]
    for arm, chosen in scored.selected.groupby("sft_arm", sort=False):
        found = [(role, 0, name_model(str(arm), role)) for role in [*sort_roles(chosen["role"]), MIDDLE]]
        steps = sorted(scored.sft.loc[scored.sft["sft_arm"] == arm, "step"].unique())
        found += [(STEP_ROLE, int(step), name_model(str(arm), f"step {step}")) for step in steps]
        rows += [
            blank | {"model": model, "kind": "sft", "sft_arm": arm, "role": role, "step": step, "cost_flops": 0.0}
            | {"family": model, "method": role}
            for role, step, model in found
            if model in models
        ]  # fmt: skip
    rows += [blank | row for row in _list_rl(scored, models, history)]
    rows += [blank | row for row in _list_edits(scored, models, variants)]
    return pd.DataFrame(rows)[MODEL_COLUMNS]


def _list_rl(scored: ScoredHands, models: pd.DataFrame, history: pd.DataFrame) -> Iterator[dict[str, Any]]:
    if history.empty:
        return
    runs = history.groupby(["rl_arm", "seed", "from_step"])["flops"].max().reset_index()
    for arm in history["rl_arm"].unique():
        flops = runs[runs["rl_arm"] == arm]
        sft_arm = scored.sft_arms["rl", str(arm)]
        starts = scored.selected[scored.selected["sft_arm"] == sft_arm].rename(columns={"step": "from_step"})
        costs = flops.merge(starts, on=["seed", "from_step"]).groupby("role")["flops"].mean()
        for role in [*sort_roles(costs.index), MIDDLE]:
            model = name_model(str(arm), f"from {role}")
            if model in models:
                yield {"model": model, "kind": "rl", "sft_arm": sft_arm, "arm": arm, "role": role, "family": model} | {
                    "method": arm,
                    "cost_flops": float(costs.get(role, costs.drop([MAX_OOD, END], errors="ignore").mean())),
                }


def _list_edits(scored: ScoredHands, models: pd.DataFrame, variants: pd.DataFrame) -> Iterator[dict[str, Any]]:
    unpaired = sorted(_name_edits(variants) ^ _name_edits(scored.edits))
    if unpaired:
        raise ValueError(f"variants that are either not described or not scored: {', '.join(unpaired[:5])}")
    costs = variants.groupby(["edit_arm", "variant"])["edit_flops"].mean()
    copied = ("family", "method", "donor", "knob_name", "knob", "sigma", "matrices", "embeddings")
    for row in variants.drop_duplicates(["edit_arm", "variant"]).to_dict("records"):
        arm = row["edit_arm"]
        yield {"model": name_model(arm, row["variant"]), "kind": "edit", "arm": arm, "role": END} | {
            "sft_arm": scored.sft_arms["edit", arm],
            **{name: row[name] for name in copied},
            "family": name_model(arm, row["family"]),
            "cost_flops": float(costs[arm, row["variant"]]),
        }


def _name_edits(table: pd.DataFrame) -> set[str]:
    return set(table["edit_arm"] + "/" + table["variant"])


def _average_rungs(wide: pd.DataFrame) -> pd.DataFrame:
    """Average the rungs of each ladder, and RL from them, where a seed has all that there are of them."""
    columns: dict[str, list[str]] = {}
    for model in wide.columns:
        arm, _, name = str(model).partition("/")
        start, rung, _ = name.partition("rung_")
        if rung and start in ("", "from "):
            columns.setdefault(name_model(arm, f"{start}{MIDDLE}"), []).append(str(model))
    means = {name: wide[rungs].sum(axis="columns", skipna=False) / len(rungs) for name, rungs in columns.items()}
    return pd.DataFrame(means, index=wide.index)


def _check_hands(wide: pd.DataFrame) -> None:
    """Refuse models that were scored on some of a seed's hands of a split."""
    scored = wide.notna().groupby(["seed", "split"]).mean()
    for model in scored.columns:
        partial = scored.loc[(scored[model] > 0) & (scored[model] < 1), model]
        if len(partial):
            seed, split = partial.index[0]
            share = f"{partial.iloc[0]:.0%}"
            raise ValueError(f"seed {seed}: '{model}' was scored on {share} of the hands of others in {split}")
