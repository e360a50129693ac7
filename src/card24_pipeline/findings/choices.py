"""The knob of every family of edits: the best on the hands for choosing, once among those that keep ID."""

from __future__ import annotations

import pandas as pd

from card24_pipeline.findings.accuracy import DIFFERENCE, ID_TOLERANCE, LEVEL
from card24_pipeline.findings.models import name_model
from card24_pipeline.study.vocabulary import ALL_HANDS, END, ID_SEEN, MAX_OOD, MIDDLE, POOLED, SELECT

CLAIMED_MERGE = "uv_top donor=max_ood top_fraction=0.2"
CLAIMED_METHODS = ("uv_top", "uv_tail", "layer_reset")
KEEPING_ID, ANY_ID = CHOICES = ("best_keeping_id", "best_any_id")


def read_pooled(estimates: pd.DataFrame, quantity: str, split: str) -> pd.Series:
    """Return the estimates of a quantity over all seeds and hands of a split, by subject and reference."""
    chosen = estimates[
        (estimates["quantity"] == quantity)
        & (estimates["split"] == split)
        & (estimates["hands"] == ALL_HANDS)
        & (estimates["scope"] == POOLED)
    ]
    return chosen.set_index(["subject", "reference"])["estimate"]


def mark_choices(models: pd.DataFrame, levels: pd.DataFrame, ood: str) -> pd.DataFrame:
    """Mark the model of every family that is best on the OOD hands for choosing; ties go to the smaller knob.

    Args:
        models: Output of ``list_models``.
        levels: Estimates that hold every model's level and its difference to End.
        ood: Name of the OOD split, whose hands for choosing decide.

    Returns:
        ``models`` with the columns ``CHOICES``: true of the best of its family among those that lie at most
        ``ID_TOLERANCE`` below End on ``id_seen`` by the point estimate, and of the best of all. Only models that
        stand beside edits have a family to be best of: edits, RL from End, MaxOOD.
    """
    select = read_pooled(levels, LEVEL, f"{ood}{SELECT}").droplevel("reference")
    changes = read_pooled(levels, DIFFERENCE, ID_SEEN)
    ends = [name_model(arm, END) for arm in models["sft_arm"]]
    table = models.assign(
        select=models["model"].map(select),
        change=[changes.get(pair, float("nan")) for pair in zip(models["model"], ends, strict=True)],
    )
    beside = (
        (table["kind"] == "edit") | ((table["kind"] == "rl") & (table["role"] == END)) | (table["method"] == MAX_OOD)
    )
    ordered = table[beside].sort_values(["select", "knob"], ascending=[False, True], kind="stable")
    kept = ordered[ordered["change"] >= -ID_TOLERANCE]
    return models.assign(
        **{
            choice: models.index.isin(able.drop_duplicates("family").index)
            for choice, able in ((KEEPING_ID, kept), (ANY_ID, ordered))
        }
    )


def list_leads(models: pd.DataFrame, levels: pd.DataFrame, ood: str) -> pd.DataFrame:
    """Pair the claimed merge of every SFT arm's End with each kind of control, held to at least the merge's ID.

    Controls take MaxOOD as donor, or need none, and keep the target's singular values where that is a choice; which
    matrices they edit, and whether the embeddings too, is theirs. Of each kind that model stands that is best on the
    hands for choosing among those that lie at most ``ID_TOLERANCE`` below the merge on ``id_seen`` by the estimate;
    one with far more ID stands at another place of the trade-off.

    Returns:
        Columns ``merge``, ``kind`` and ``control``, which is empty where no control has enough ID.
    """
    select = read_pooled(levels, LEVEL, f"{ood}{SELECT}").droplevel("reference")
    id_seen = read_pooled(levels, LEVEL, ID_SEEN).droplevel("reference")
    merges = models[(models["kind"] == "edit") & models["model"].str.endswith(f"/{CLAIMED_MERGE}")]
    rows = []
    for merge in merges.to_dict("records"):
        for kind, rivals in _select_controls(models, merge["sft_arm"], merge["arm"]).items():
            able = [name for name in rivals if id_seen[name] >= id_seen[merge["model"]] - ID_TOLERANCE]
            control = max(able, key=lambda name: float(select[name]), default="")
            rows.append({"merge": merge["model"], "kind": kind, "control": control})
    return pd.DataFrame(rows, columns=["merge", "kind", "control"])


def _select_controls(models: pd.DataFrame, sft_arm: str, edit_arm: str) -> dict[str, list[str]]:
    """Return the models of each kind of control, in the order of the table."""
    own = models[(models["sft_arm"] == sft_arm) & (models["role"] != MIDDLE)]
    edits = own[(own["arm"] == edit_arm) & (own["donor"] == MAX_OOD) & (own["sigma"] != "donor")]
    edits = edits[~edits["method"].isin(CLAIMED_METHODS)]
    rl = own[(own["kind"] == "rl") & (own["role"] == END)]
    return {
        str(kind): rows["model"].tolist()
        for part, key in ((edits, "method"), (own[own["model"] == name_model(sft_arm, MAX_OOD)], "role"), (rl, "arm"))
        for kind, rows in part.groupby(key, sort=False)
    }
