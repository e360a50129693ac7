"""The figures of each model, by name: what the tables of scores, spectra and variants say of it."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import Any, cast

import pandas as pd

from card24_pipeline.tracking.records import read_rows

SPLITS = ("ood", "ood_select", "id_seen", "id_heldout")
PASS = "pass_at_1"
OOD_PASS = f"ood_{PASS}"
BAND_FRACTION = 0.2

Figures = dict[str, float]
Key = tuple[Any, ...]


def read_scores(scores: pd.DataFrame, keys: list[str]) -> dict[Key, Figures]:
    """Read the scores of every model.

    Args:
        scores: One row per model, split and acquaintance.
        keys: Columns that tell models apart.

    Returns:
        By model: ``<split>_pass_at_1`` for each of ``SPLITS``, ``ood_card_to_number_accuracy`` and, where the table
        has it, ``forward_kl_nats`` from the base (nats a token).
    """
    found: dict[Key, Figures] = {}
    for row in read_rows(scores[(scores["base_met_multiset"] == "all") & scores["split"].isin(SPLITS)]):
        figures = found.setdefault(tuple(row[key] for key in keys), {})
        figures[f"{row['split']}_{PASS}"] = row[PASS]
        if row["split"] == "ood":
            figures["ood_card_to_number_accuracy"] = row["card_to_number_accuracy"]
            if "forward_kl_nats" in row:
                figures["forward_kl_nats"] = row["forward_kl_nats"]
    return found


def read_movements(spectra: pd.DataFrame) -> dict[Key, Figures]:
    """Read how far the weights moved.

    Args:
        spectra: One row per seed, pair, step, tensor, model, draw, band and fraction.

    Returns:
        By ``(seed, pair, step)``, as means over matrices of what was observed, not of the null models:
        ``angle_top20_degrees``, of the mean principal angles of the left and the right top 20 % of singular
        directions (left out where that fraction was not measured), and ``relative_sigma_shift``, of each matrix's
        median of |σ' − σ| / σ.
    """
    observed = spectra[spectra["model"] == "observed"]
    keys = ["seed", "pair", "step"]
    found: dict[Key, Figures] = {}
    for key, rows in observed[observed["band"] == "all"].groupby(keys):
        found[cast(Key, key)] = {"relative_sigma_shift": float(rows["relative_sigma_shift"].mean())}
    near = observed["fraction"].map(lambda fraction: isclose(fraction, BAND_FRACTION))
    for key, rows in observed[(observed["band"] == "top") & near].groupby(keys):
        sides = (rows["left_angle_degrees"] + rows["right_angle_degrees"]) / 2
        found.setdefault(cast(Key, key), {})["angle_top20_degrees"] = float(sides.mean())
    return found


def measure_recovery(edited: Mapping[str, float], end: Mapping[str, float], donor: Mapping[str, float]) -> Figures:
    """Return ``recovered_share``: (OOD − OOD of End) / (OOD of the donor − OOD of End), 1 being the whole loss.

    It is left out where the donor is not above End.
    """
    lost = donor[OOD_PASS] - end[OOD_PASS]
    return {"recovered_share": (edited[OOD_PASS] - end[OOD_PASS]) / lost} if lost > 0 else {}
