"""The figures of each model, by name: what the tables of scores and estimates say of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from card24_pipeline.tracking.records import read_rows

PASS = "pass_at_1"
PUBLISHED = "published_"
ESTIMATES = {
    # quantity and model of the change, as the findings name them: name of the metric
    ("recovered share of the loss", ""): "recovered_share",
    ("angle of the top", "observed"): "angle_top20_degrees",
    ("relative shift of singular values", "observed"): "relative_sigma_shift",
}

Figures = dict[str, float]
Key = tuple[Any, ...]


def read_scores(scores: pd.DataFrame, keys: list[str]) -> dict[Key, Figures]:
    """Read the scores of every model.

    Args:
        scores: One row per model, split and group of hands.
        keys: Columns that tell models apart.

    Returns:
        By model: ``<split>_pass_at_1`` for each split but the published draws, ``<split>_card_to_number_accuracy`` of
        OOD splits that are not for choosing and, where the table has it, ``forward_kl_nats`` from the base.
    """
    found: dict[Key, Figures] = {}
    for row in read_rows(scores[(scores["base_met_multiset"] == "all") & ~scores["split"].str.startswith(PUBLISHED)]):
        figures, split = found.setdefault(tuple(row[key] for key in keys), {}), row["split"]
        figures[f"{split}_{PASS}"] = row[PASS]
        if not split.startswith("id_") and not split.endswith("_select"):
            figures[f"{split}_card_to_number_accuracy"] = row["card_to_number_accuracy"]
        if "forward_kl_nats" in row:
            figures["forward_kl_nats"] = row["forward_kl_nats"]
    return found


def read_estimates(estimates: pd.DataFrame) -> dict[Key, Figures]:
    """Read what the findings say of each model in each seed: by seed and model, the metrics of ``ESTIMATES``.

    Changes of weights are those from where the model came from: the base for SFT, its start for RL.
    """
    found: dict[Key, Figures] = {}
    for row in read_rows(estimates[estimates["scope"].str.startswith("seed ")]):
        name = ESTIMATES.get((row["quantity"], row["change_model"]))
        from_origin = row["reference"] == "base" or "/from " in row["subject"]
        if name and (from_origin or name == "recovered_share"):
            found.setdefault((int(row["scope"].removeprefix("seed ")), row["subject"]), {})[name] = row["estimate"]
    return found
