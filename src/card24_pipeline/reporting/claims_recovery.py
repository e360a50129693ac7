"""Evidence on cheap edits in place of RL: claim 3."""

from __future__ import annotations

import pandas as pd

from card24_pipeline.reporting.claims import Evidence, EvidenceBuilder, Statement
from card24_pipeline.reporting.recovery_choices import UV_MERGE, pick_best, select_families
from card24_pipeline.reporting.recovery_models import END, MAX_OOD
from card24_pipeline.reporting.recovery_verdicts import BOUND, CLAIMED_EDITS, CONTROLS
from card24_pipeline.reporting.rl_contrasts import IDENTITY

JUDGED_EDITS = {
    # variant of CLAIMED_EDITS: its name in files. Its loss is that to MaxOOD, as published.
    "uv_top donor=max_ood top_fraction=0.2": "top_directions_recover",
    "layer_reset donor=max_ood quarter=1": "first_layers_recover",
    "layer_reset donor=max_ood embeddings quarter=1": "first_layers_with_embeddings_recover",
}
PUBLISHED_NOTE = "70–80 % (abstract); no number of hands given"


def gather_recovery_claims(
    models: pd.DataFrame, chosen: pd.DataFrame, builder: EvidenceBuilder, *, confidence: float
) -> list[Evidence]:
    """Measure every statement of claim 3, hand by hand within a seed.

    Args:
        models: Output of ``lay_out_recovery``.
        chosen: Output of ``choose_knobs``: each method at the knob that is best on ``ood_select`` while ID is kept.
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
    return evidence + [_measure_lead(ood, chosen, method, builder) for method in CONTROLS]


def _measure_share(
    statement: Statement, ood: pd.DataFrame, variant: str, builder: EvidenceBuilder, confidence: float
) -> Evidence:
    if variant not in ood:
        return Evidence(statement, note="not measured")
    hands = ood.dropna(subset=[variant])
    table = hands[IDENTITY].assign(gain=hands[variant] - hands[END], loss=hands[MAX_OOD] - hands[END])
    return builder.take_share(statement, table, confidence=confidence)


def _measure_lead(ood: pd.DataFrame, chosen: pd.DataFrame, method: str, builder: EvidenceBuilder) -> Evidence:
    """Measure by how much the best UV-merge is above a control on OOD, both at knobs that keep ID."""
    title = CONTROLS[method]
    statement = Statement(
        3, f"uv_merge_beats_{method.replace(' ', '_')}", f"A UV-merge beats {title} on OOD at equal ID"
    )
    rivals = {"a UV-merge": select_families(chosen, UV_MERGE), title: select_families(chosen, method)}
    if any(families.empty for families in rivals.values()):
        return Evidence(statement, note="not measured")
    picks = {name: pick_best(families) for name, families in rivals.items()}
    for name, pick in picks.items():
        if pick is None:
            return Evidence(statement, note=f"no knob of {name} keeps ID within one point of End")
    merge, control = (str(pick["chosen_variant"]) for pick in picks.values() if pick)
    table = ood[IDENTITY].assign(value=ood[merge] - ood[control]).dropna(subset=["value"])
    return builder.take_mean(statement, table)
