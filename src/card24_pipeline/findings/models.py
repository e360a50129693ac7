"""The models of a study, and who solved which hand: one column for each model."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

import numpy as np
import pandas as pd

from card24_pipeline.findings.reading import RUN, StudyTables
from card24_pipeline.study.rows import read_rows
from card24_pipeline.study.vocabulary import BASE, END, MIDDLE, RUNG, sort_roles

HAND = ["seed", "split", "base_met_multiset", "hand", "multiset"]
MODEL_COLUMNS = [
    "model", "kind", "sft_arm", "arm", "role", "step", "family", "method", "donor", "knob_name", "knob", "sigma",
    "matrices", "embeddings", "cost_flops", "shared",
]  # fmt: skip
STEP_ROLE = "step"
"""Role of the SFT checkpoints by step, beside those by role, which stand for one step or another by the seed."""


def name_model(arm: str, name: Any) -> str:
    """Name a model by its arm: ``main/end``, ``main/step 40``, ``plain/from end``, ``main/uv_top donor=base``."""
    return f"{arm}/{name}"


def name_run(rl_arm: str, role: Any) -> str:
    """Name the model after RL from the SFT checkpoint of a role."""
    return name_model(rl_arm, f"from {role}")


def lay_out_hands(tables: StudyTables) -> pd.DataFrame:
    """Lay the hands out with one row per seed and hand (index ``HAND``), and one 0/1 column per model.

    Beside the models that were scored stand means over the rungs of a ladder (``MIDDLE``). A model is NaN in seeds
    that lack it, and on splits that it was not scored on.

    Raises:
        ValueError: If a model was scored on some of a seed's hands of a split only: nothing would be paired.
    """
    sft, rl, edits = tables.sft_hand_scores, tables.rl_hand_scores, tables.edit_hand_scores
    roles = sft.merge(tables.selected_checkpoints, on=["seed", "sft_arm", "step"])
    runs = rl.merge(tables.starts, on=RUN)
    parts = (
        sft.assign(model=sft["sft_arm"] + "/step " + sft["step"].astype(str)),
        roles.assign(model=roles["sft_arm"] + "/" + roles["role"]),
        runs.assign(model=runs["rl_arm"] + "/from " + runs["role"]),
        edits.assign(model=edits["edit_arm"] + "/" + edits["variant"]),
    )
    long = pd.concat([part[[*HAND, "model", "passed"]] for part in parts], ignore_index=True)
    wide = long.astype({"passed": np.float64}).pivot(index=HAND, columns="model", values="passed")
    wide.columns.name = None
    keys = ["split", "hand"] if tables.base_is_shared else ["seed", "split", "hand"]
    base = tables.base_hand_scores.set_index(keys)["passed"].astype(np.float64)
    wide[BASE] = base.reindex(pd.MultiIndex.from_arrays([wide.index.get_level_values(key) for key in keys])).array
    _check_hands(wide)
    return pd.concat([wide, _average_rungs(wide, tables)], axis="columns")


def list_models(tables: StudyTables, models: Container[str]) -> pd.DataFrame:
    """List every model with what it is and what it cost.

    Args:
        tables: What was measured.
        models: Names of the models that ``lay_out_hands`` has.

    Returns:
        Columns ``MODEL_COLUMNS``, one row per model: ``kind`` (base, sft, rl or edit), ``arm`` (of RL or edits),
        ``role`` of the SFT checkpoint that it is or started from, and ``cost_flops`` for one seed, a mean over seeds:
        of the edit, of all updates of RL, 0 for a checkpoint as it is. ``shared`` is true of a base that was given,
        which is one for all seeds.

    Raises:
        ValueError: If a variant was described and not scored, or scored and not described.
    """
    blank: dict[str, Any] = dict.fromkeys(MODEL_COLUMNS, "") | {"step": 0, "knob": np.nan, "embeddings": False}
    blank |= {"shared": False, "cost_flops": 0.0}
    about_base = {"model": BASE, "kind": "base", "role": BASE, "family": BASE, "method": BASE}
    rows = [blank | about_base | {"shared": tables.base_is_shared}]
    sft = tables.sft_hand_scores
    for arm, chosen in tables.selected_checkpoints.groupby("sft_arm", sort=False):
        found = [(role, 0, name_model(str(arm), role)) for role in [*sort_roles(chosen["role"]), MIDDLE]]
        steps = sorted(sft.loc[sft["sft_arm"] == arm, "step"].unique())
        found += [(STEP_ROLE, int(step), name_model(str(arm), f"step {step}")) for step in steps]
        rows += [
            blank | {"model": model, "kind": "sft", "sft_arm": arm, "role": role, "step": step}
            | {"family": model, "method": role}
            for role, step, model in found
            if model in models
        ]  # fmt: skip
    rows += [blank | row for row in (*_list_rl(tables, models), *_list_edits(tables))]
    return pd.DataFrame(rows)[MODEL_COLUMNS]


def _list_rl(tables: StudyTables, models: Container[str]) -> Iterator[dict[str, Any]]:
    runs = tables.rl_history.groupby(["rl_arm", "sft_arm", "seed", "from_step"], sort=False)["flops"].max()
    spent = runs.reset_index().merge(tables.starts, on=RUN)
    for (arm, sft_arm), own in spent.groupby(["rl_arm", "sft_arm"], sort=False):
        costs = own.groupby("role")["flops"].mean()
        for role in [*sort_roles(costs.index), MIDDLE]:
            model = name_run(str(arm), role)
            if model in models:
                cost = costs.get(role, costs[[other for other in costs.index if other.startswith(RUNG)]].mean())
                yield {"model": model, "kind": "rl", "sft_arm": sft_arm, "arm": arm, "role": role, "family": model} | {
                    "method": arm,
                    "cost_flops": float(cost),
                }


def _list_edits(tables: StudyTables) -> Iterator[dict[str, Any]]:
    variants = tables.edit_variants
    unpaired = sorted(_name_edits(variants) ^ _name_edits(tables.edit_hand_scores))
    if unpaired:
        raise ValueError(f"variants that are either not described or not scored: {', '.join(unpaired[:5])}")
    costs = variants.groupby(["edit_arm", "variant"])["edit_flops"].mean()
    copied = ("sft_arm", "method", "donor", "knob_name", "knob", "sigma", "matrices", "embeddings")
    for row in read_rows(variants.drop_duplicates(["edit_arm", "variant"])):
        arm = row["edit_arm"]
        yield {"model": name_model(arm, row["variant"]), "kind": "edit", "arm": arm, "role": END} | {
            **{name: row[name] for name in copied},
            "family": name_model(arm, row["family"]),
            "cost_flops": float(costs[arm, row["variant"]]),
        }


def _name_edits(table: pd.DataFrame) -> set[str]:
    return set(table["edit_arm"] + "/" + table["variant"])


def _average_rungs(wide: pd.DataFrame, tables: StudyTables) -> pd.DataFrame:
    """Average the rungs of each ladder, and RL from them, where there are all; in seeds that have all."""
    means: dict[str, pd.Series] = {}
    rl = tables.rl_hand_scores
    for arm, chosen in tables.selected_checkpoints.groupby("sft_arm"):
        rungs = [role for role in chosen["role"].unique() if role.startswith(RUNG)]
        ladders = {name_model(str(arm), MIDDLE): [name_model(str(arm), rung) for rung in rungs]}
        for rl_arm in rl.loc[rl["sft_arm"] == arm, "rl_arm"].unique():
            ladders[name_run(rl_arm, MIDDLE)] = [name_run(rl_arm, rung) for rung in rungs]
        means |= {
            name: wide[models].sum(axis="columns", skipna=False) / len(models)
            for name, models in ladders.items()
            if models and set(models) <= set(wide.columns)
        }
    return pd.DataFrame(means, index=wide.index)


def _check_hands(wide: pd.DataFrame) -> None:
    """Refuse models that were scored on some of a seed's hands of a split."""
    scored = wide.notna().groupby(["seed", "split"]).mean()
    for model in scored.columns:
        partial = scored.loc[(scored[model] > 0) & (scored[model] < 1), model]
        if len(partial):
            seed, split = partial.index[0]
            share = f"{partial.iloc[0]:.0%}"
            raise ValueError(f"replicate {seed}: '{model}' was scored on {share} of the hands of others in {split}")
