"""Everything that a study measured, brought together: its models, every estimate once, its RL runs."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from card24_pipeline.findings.accuracy import LEVEL, estimate_accuracy, list_quantities, mark_overlaps, subtract
from card24_pipeline.findings.changes import estimate_changes, estimate_return, pick_changes
from card24_pipeline.findings.choices import list_leads, mark_choices
from card24_pipeline.findings.lookup import ROW_KEY, Findings
from card24_pipeline.findings.models import MODEL_COLUMNS, STEP_ROLE, lay_out_hands, list_models
from card24_pipeline.findings.params import FindingsParams
from card24_pipeline.findings.reading import StudyTables
from card24_pipeline.findings.resampling import Bootstrap
from card24_pipeline.findings.runs import summarise_runs
from card24_pipeline.study.vocabulary import ALL_HANDS, MIDDLE, POOLED, is_id_level

COLUMNS = [
    *ROW_KEY, "estimate", "low", "high", "se_replicates", "se_hands", "bound", "p_value", "rows", "clusters", "seeds",
]  # fmt: skip


def estimate_study(
    tables: StudyTables, bootstrap: Bootstrap, ood: str, compare_arms: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Estimate every quantity of a study.

    Args:
        tables: What was measured.
        bootstrap: Settings of the intervals.
        ood: Name of the OOD split of the claims.
        compare_arms: SFT arms, each with the one that it is held against.

    Returns:
        The models (``list_models`` with ``mark_choices``), the estimates (``COLUMNS``; names that do not apply are
        empty), and the RL runs (``summarise_runs``). ``se_replicates`` is the standard error by the spread between
        replicates; ``se_hands`` that by the spread between hands, and between matrices of weights where there is one
        replicate.
    """
    wide = lay_out_hands(tables)
    models = list_models(tables, wide)
    marks, overlaps = mark_overlaps(wide, models)
    wide = pd.concat([wide, marks], axis="columns")
    accuracy = estimate_accuracy(wide, [*list_quantities(models, compare_arms), *overlaps], bootstrap)
    models = mark_choices(models, accuracy, ood)
    leads = list_leads(models, accuracy, ood)
    pairs = [
        subtract(str(merge), str(rival)) for merge, rival in zip(leads["merge"], leads["control"], strict=True) if rival
    ]
    more = estimate_accuracy(wide, pairs, bootstrap)
    parts = [accuracy, more, *estimate_weights(tables, bootstrap)]
    estimates = pd.concat([part for part in parts if len(part)], ignore_index=True)[COLUMNS]
    estimates[ROW_KEY] = estimates[ROW_KEY].fillna("")
    runs = summarise_runs(tables.rl_history, tables.rl_scores, tables.starts, ood)
    return models, estimates.drop_duplicates(ROW_KEY, ignore_index=True), runs


def estimate_weights(tables: StudyTables, bootstrap: Bootstrap) -> list[pd.DataFrame]:
    """Estimate what SFT and RL did to the weights: changes of SFT, changes of RL, and RL's way back."""
    selected = tables.selected_checkpoints[["seed", "sft_arm", "role", "step"]]
    selected = selected[~selected["role"].map(is_id_level)]
    starts = tables.starts.rename(columns={"from_step": "step"})
    changes = [
        estimate_changes(pick_changes(bands, roles), pick_changes(indices, roles), bootstrap)
        for bands, indices, roles in (
            (tables.sft_spectra, tables.sft_spectra_by_index, selected),
            (tables.rl_spectra, tables.rl_spectra_by_index, starts),
        )
    ]
    return [*changes, estimate_return(tables.rl_return, tables.starts, bootstrap)]


def open_findings(
    models: pd.DataFrame, estimates: pd.DataFrame, runs: pd.DataFrame, *, ood: str, params: FindingsParams
) -> Findings:
    """Open the tables of :func:`estimate_study` as they come back from files, where an empty name is a missing one."""
    names = [name for name in MODEL_COLUMNS if name not in ("step", "knob", "embeddings", "cost_flops", "shared")]
    return Findings(
        models.fillna(dict.fromkeys(names, "")),
        estimates.fillna(dict.fromkeys(ROW_KEY, "")),
        runs,
        ood,
        params.confidence,
        params.compare_arms,
        params.arm_notes,
    )


def spread_levels(models: pd.DataFrame, estimates: pd.DataFrame, ood: str, *, by_step: bool) -> pd.DataFrame:
    """Lay pooled pass@1 out with a column for each split, as plots of DVC want it: the claims' OOD is ``ood``.

    Args:
        models: Output of ``estimate_study``.
        estimates: The same.
        ood: Name of the OOD split of the claims.
        by_step: Whether a row is a step of the first SFT arm (0 is the base), or a model that stands beside edits.
    """
    pooled = estimates[
        (estimates["quantity"] == LEVEL) & (estimates["hands"] == ALL_HANDS) & (estimates["scope"] == POOLED)
    ]
    levels = pooled.pivot(index="subject", columns="split", values="estimate")
    levels = levels.rename(columns={ood: "ood"} if ood == "ood" else {ood: "ood", "ood": "ood_rule"}).rename_axis(
        columns=None
    )
    first = models.loc[models["kind"] == "sft", "sft_arm"].iloc[0]
    steps = (models["kind"] == "base") | ((models["role"] == STEP_ROLE) & (models["sft_arm"] == first))
    chosen = models[steps if by_step else (models["role"] != STEP_ROLE) & (models["role"] != MIDDLE)]
    shown = ["step"] if by_step else ["model", "kind"]
    table = chosen[[*dict.fromkeys([*shown, "model"])]].merge(levels, left_on="model", right_index=True)
    return table[[*shown, *levels.columns]]
