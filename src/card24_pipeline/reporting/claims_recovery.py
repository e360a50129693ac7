"""Evidence on cheap edits in place of RL: claim 3."""

from __future__ import annotations

import pandas as pd

from card24_pipeline.reporting.claims import Evidence, EvidenceBuilder, Statement
from card24_pipeline.reporting.recovery_choices import pick_at_no_less_id, select_families
from card24_pipeline.reporting.recovery_models import END, MAX_OOD, RL_MODELS, describe_knob
from card24_pipeline.reporting.recovery_verdicts import BOUND, CLAIMED_EDITS, CONTROLS
from card24_pipeline.reporting.rl_contrasts import IDENTITY

CLAIMED_MERGE = "uv_top donor=max_ood top_fraction=0.2"
JUDGED_EDITS = {
    # variant of CLAIMED_EDITS: its name in files. Its loss is that to MaxOOD, as published.
    CLAIMED_MERGE: "top_directions_recover",
    "layer_reset donor=max_ood quarter=1": "first_layers_recover",
    "layer_reset donor=max_ood embeddings quarter=1": "first_layers_with_embeddings_recover",
}
PUBLISHED_NOTE = "70–80 % (abstract); no number of hands given"


def gather_recovery_claims(
    models: pd.DataFrame, points: pd.DataFrame, runs: pd.DataFrame, builder: EvidenceBuilder, *, confidence: float
) -> list[Evidence]:
    """Measure every statement of claim 3, hand by hand within a seed.

    Args:
        models: Output of ``lay_out_recovery``.
        points: Output of ``RecoveryBuilder.trace_points``.
        runs: Output of ``summarise_runs``, which tells what RL runs count.
        builder: Settings of the bootstrap.
        confidence: Level at which a loss must be above 0 for a share of it to be given.
    """
    ood = models[models["split"] == "ood"]
    evidence = []
    for variant, key in JUDGED_EDITS.items():
        statement = Statement(
            3,
            key,
            f"{CLAIMED_EDITS[variant]} recovers at least {BOUND:.0%} of the OOD loss",
            unit="share",
            bound=BOUND,
            published_note=PUBLISHED_NOTE,
        )
        evidence.append(_measure_share(statement, ood, variant, builder, confidence))
    counting = runs[runs["role"] == END].groupby("arm")["counts"].all().to_dict()
    counts = {name: bool(counting.get(arm, False)) for arm, name in RL_MODELS.items()}
    return evidence + [
        _measure_lead(ood, points, method, builder, counts=counts.get(method, True)) for method in CONTROLS
    ]


def _measure_share(
    statement: Statement, ood: pd.DataFrame, variant: str, builder: EvidenceBuilder, confidence: float
) -> Evidence:
    if variant not in ood:
        return Evidence(statement, note="not measured")
    hands = ood.dropna(subset=[variant])
    table = hands[IDENTITY].assign(gain=hands[variant] - hands[END], loss=hands[MAX_OOD] - hands[END])
    return builder.take_share(statement, table, confidence=confidence)


def _measure_lead(
    ood: pd.DataFrame, points: pd.DataFrame, method: str, builder: EvidenceBuilder, *, counts: bool
) -> Evidence:
    """Measure by how much the claimed merge is above a control on OOD, at a knob with as much ID as the merge."""
    title = CONTROLS[method]
    statement = Statement(
        3,
        f"top_directions_beat_{method.replace(' ', '_')}",
        f"The top 20 % beat {title}, held to at least their ID, on OOD",
    )
    families = select_families(points, method)
    if CLAIMED_MERGE not in ood or families.empty:
        return Evidence(statement, note="not measured")
    needed = points.loc[points["variant"] == CLAIMED_MERGE, "id_seen_pass_at_1"].iloc[0]
    control = pick_at_no_less_id(families, needed)
    if control is None:
        return Evidence(
            statement, note=f"not decided: ID of at most {_compare_id(families['id_seen_pass_at_1'].max(), needed)}"
        )
    table = ood[IDENTITY].assign(value=ood[CLAIMED_MERGE] - ood[control["variant"]]).dropna(subset=["value"])
    note = f"ID {_compare_id(control['id_seen_pass_at_1'], needed)}"
    parts = [describe_knob(control), note, "" if counts else "its runs do not count"]
    return builder.take_mean(statement, table, note=", ".join(filter(None, parts)), decides=counts)


def _compare_id(control: float, merge: float) -> str:
    return f"{100 * control:.1f} against {100 * merge:.1f}"
