"""The models that the recovery of OOD accuracy compares: edits of End, their donors, and RL from End."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from card24_pipeline.reporting.rl_contrasts import ANCHORED, BEFORE, IDENTITY, PLAIN, lay_out_models

END, MAX_OOD, BASE = CHECKPOINTS = ("end", "max_ood", "base")
RL_MODELS = {PLAIN: "rl from end", ANCHORED: "anchored rl from end"}
SPLITS = ("id_seen", "id_heldout", "ood_select", "ood")
FACTS = ["variant", "family", "method", "donor", "knob_name", "knob", "sigma", "embeddings"]

MODEL_TITLES = {
    END: "End",
    MAX_OOD: "keeping MaxOOD",
    BASE: "the base",
    RL_MODELS[PLAIN]: "RL from End",
    RL_MODELS[ANCHORED]: "anchored RL from End",
}
METHOD_TITLES = {
    "uv_top": "top directions",
    "uv_tail": "tail directions",
    "uv_random": "random indices",
    "uv_turned": "turned at random",
    "singular_values": "σ only",
    "layer_reset": "layers reset",
    "interpolation": "interpolation",
    "lines": "LiNeS",
    "delta_top": "truncated ΔW",
    "delta_threshold": "hard-thresholded ΔW",
}
CHOICE_TITLES = {
    f"donor={MAX_OOD}": "MaxOOD",
    f"donor={BASE}": "base",
    "sigma=donor": "σ too",
    "matrices=attention": "attention only",
    "matrices=mlp": "MLP only",
    "embeddings": "embeddings too",
}


def lay_out_recovery(
    base_hands: pd.DataFrame,
    sft_hands: pd.DataFrame,
    selected: pd.DataFrame,
    rl_hands: Mapping[str, pd.DataFrame],
    recovery_hands: pd.DataFrame,
) -> pd.DataFrame:
    """Lay the hands of ``SPLITS`` out with one row per seed and hand, and one 0/1 column per model.

    Args:
        base_hands: The base's graded hands, which every seed shares.
        sft_hands: Graded hands of every seed and SFT step.
        selected: Columns ``seed``, ``role``, ``step``.
        rl_hands: Graded hands after RL by arm, with ``from_step`` in place of ``step``.
        recovery_hands: Graded hands of every seed and edited checkpoint, with ``variant`` in place of ``step``.

    Returns:
        The columns ``IDENTITY``, then float columns: ``CHECKPOINTS``, those of ``RL_MODELS`` that there are, and
        every variant; NaN in seeds that lack the model.

    Raises:
        ValueError: If a seed lacks one of ``CHECKPOINTS``, or a model was scored on some of a seed's hands only.
    """
    before = lay_out_models(
        _keep_splits(sft_hands), selected, {arm: _keep_splits(hands) for arm, hands in rl_hands.items()}
    )
    names = {(BEFORE, END): END, (BEFORE, MAX_OOD): MAX_OOD} | {(arm, END): name for arm, name in RL_MODELS.items()}
    models = before.reindex(columns=pd.MultiIndex.from_tuples(names))
    models.columns = pd.Index(list(names.values()))
    edits = _keep_splits(recovery_hands).astype({"passed": np.float64})
    table = models.join(edits.pivot(index=IDENTITY, columns="variant", values="passed"), how="outer").reset_index()
    base = _keep_splits(base_hands).set_index(["split", "hand"])["passed"].astype(np.float64)
    table[BASE] = base.reindex(pd.MultiIndex.from_frame(table[["split", "hand"]])).to_numpy()
    _check_hands(table)
    return table.dropna(axis="columns", how="all")


def list_models(
    variants: pd.DataFrame, models: pd.DataFrame, selected: pd.DataFrame, rl_history: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """List the checkpoints, the RL runs from End and the edits, and what each cost.

    Args:
        variants: One row per seed and variant: ``FACTS`` and ``edit_flops``.
        models: Output of ``lay_out_recovery``.
        selected: Columns ``seed``, ``role``, ``step``.
        rl_history: By arm, one row per seed, ``from_step`` and update, with its ``flops``.

    Returns:
        One row per model: ``FACTS`` and ``cost_flops``, in FLOP for one seed and a mean over seeds: of the edit, of
        all updates of RL, and 0 for a checkpoint that is taken as it is. Checkpoints and RL runs are families of
        their own without a donor.

    Raises:
        ValueError: If a variant was described and not scored, or scored and not described, or its donor is none.
    """
    others = [name for name in (*CHECKPOINTS, *RL_MODELS.values()) if name in models.columns]
    scored = set(models.columns) - set(IDENTITY) - set(others)
    unpaired = sorted(scored ^ set(variants["variant"]))
    if unpaired:
        raise ValueError(f"variants that are either not described or not scored: {', '.join(unpaired[:5])}")
    strange = sorted(set(variants["donor"]) - {MAX_OOD, BASE})
    if strange:
        raise ValueError(f"expected the donors {MAX_OOD} and {BASE}, got {', '.join(strange)}")
    costs = variants.groupby("variant")["edit_flops"].mean()
    edits = variants.drop_duplicates("variant")[FACTS]
    rl_flops = {RL_MODELS[arm]: _average_flops(history, selected) for arm, history in rl_history.items()}
    blank = {"donor": "", "knob_name": "", "knob": float("nan"), "sigma": "", "embeddings": False}
    rows = [
        {"variant": name, "family": name, "method": name, **blank, "cost_flops": rl_flops.get(name, 0.0)}
        for name in others
    ]
    return pd.concat([pd.DataFrame(rows), edits.assign(cost_flops=edits["variant"].map(costs))], ignore_index=True)


def name_family(family: str) -> str:
    """Write a family, or a model that is one of its own, as it stands in tables and figures."""
    if family in MODEL_TITLES:
        return MODEL_TITLES[family]
    method, *choices = family.split()
    return ", ".join([METHOD_TITLES.get(method, method), *(CHOICE_TITLES.get(choice, choice) for choice in choices)])


def describe_knob(row: Mapping[str, Any]) -> str:
    """Write a variant's knob with its name; empty where it has none."""
    return f"{row['knob_name'].replace('_', ' ')} {row['knob']:g}" if row["knob_name"] else ""


def _keep_splits(hands: pd.DataFrame) -> pd.DataFrame:
    return hands[hands["split"].isin(SPLITS)]


def _check_hands(table: pd.DataFrame) -> None:
    """Refuse models that were scored on some of a seed's hands: nothing would be paired."""
    missing = set(SPLITS) - set(table["split"])
    if missing:
        raise ValueError(f"there are no hands of {', '.join(sorted(missing))}")
    scored = table.drop(columns=IDENTITY).notna().groupby(table["seed"]).mean()
    for model in scored.columns:
        for seed, share in scored[model].items():
            if share != 1 and (share != 0 or model in CHECKPOINTS):
                raise ValueError(f"seed {seed}: '{model}' was scored on {share:.0%} of the hands of others")


def _average_flops(history: pd.DataFrame, selected: pd.DataFrame) -> float:
    """Return the FLOP of the runs from End, as a mean over seeds; NaN where there is none.

    The history counts them from the start of a run, so a run's last update has them all.
    """
    ends = selected[selected["role"] == END].rename(columns={"step": "from_step"})
    runs = history.merge(ends[["seed", "from_step"]], on=["seed", "from_step"])
    return float(runs.groupby("seed")["flops"].max().mean())
