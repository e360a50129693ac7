"""Everything that a study measured, brought together: its models, every estimate once, its RL runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from card24_pipeline.findings.accuracy import LEVEL, estimate_accuracy, list_quantities, mark_overlaps, subtract
from card24_pipeline.findings.changes import estimate_changes, estimate_return, pick_changes
from card24_pipeline.findings.choices import list_leads, mark_choices
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.findings.models import MODEL_COLUMNS, STEP_ROLE, ScoredHands, lay_out_hands, list_models
from card24_pipeline.findings.resampling import Bootstrap
from card24_pipeline.findings.runs import summarise_runs
from card24_pipeline.study.vocabulary import ALL_HANDS, MIDDLE, POOLED

COLUMNS = [
    "quantity", "subject", "reference", "split", "hands", "change_model", "scope", "estimate", "low", "high", "bound",
    "p_value", "rows", "clusters", "seeds",
]  # fmt: skip
NAMES = COLUMNS[:7]


@dataclass(frozen=True)
class StudyTables:
    """The tables of all seeds and arms, with columns ``seed`` and ``sft_arm``, ``rl_arm`` or ``edit_arm``.

    Attributes:
        base_hands: The base's graded hands, which seeds share.
        sft_hands: Graded hands by SFT step.
        selected: ``role`` and ``step``.
        rl_hands: Graded hands after RL by ``from_step``.
        rl_scores: Their summaries.
        rl_history: Updates.
        edit_variants: What each edit is.
        edit_hands: Graded hands by ``variant``.
        sft_spectra: Spectra along SFT, by band.
        sft_by_index: The same by index.
        rl_spectra: Spectra before and after RL, by band.
        rl_by_index: The same by index.
        rl_return: RL's way back, by matrix.
        sft_arms: The SFT arm of every RL arm (``("rl", name)``) and edit arm (``("edit", name)``).
    """

    base_hands: pd.DataFrame
    sft_hands: pd.DataFrame
    selected: pd.DataFrame
    rl_hands: pd.DataFrame
    rl_scores: pd.DataFrame
    rl_history: pd.DataFrame
    edit_variants: pd.DataFrame
    edit_hands: pd.DataFrame
    sft_spectra: pd.DataFrame
    sft_by_index: pd.DataFrame
    rl_spectra: pd.DataFrame
    rl_by_index: pd.DataFrame
    rl_return: pd.DataFrame
    sft_arms: Mapping[tuple[str, str], str]

    def name_sft_arm(self, rl: pd.DataFrame) -> pd.DataFrame:
        """Add the SFT arm that each row's RL arm started from."""
        arms = [self.sft_arms["rl", arm] for arm in rl["rl_arm"]]
        return rl.assign(sft_arm=pd.Series(arms, index=rl.index, dtype=object))


def estimate_study(
    tables: StudyTables, bootstrap: Bootstrap, ood: str
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Estimate every quantity of a study.

    Args:
        tables: What was measured.
        bootstrap: Settings of the intervals.
        ood: Name of the OOD split of the claims.

    Returns:
        The models (``list_models`` with ``mark_choices``), the estimates (``COLUMNS``; names that do not apply are
        empty), and the RL runs (``summarise_runs``).
    """
    scored = ScoredHands(
        tables.base_hands, tables.sft_hands, tables.rl_hands, tables.edit_hands, tables.selected, tables.sft_arms
    )
    wide = lay_out_hands(scored)
    models = list_models(scored, wide, tables.edit_variants, tables.rl_history)
    marks, overlaps = mark_overlaps(wide, models)
    wide = pd.concat([wide, marks], axis="columns")
    accuracy = estimate_accuracy(wide, [*list_quantities(models), *overlaps], bootstrap)
    models = mark_choices(models, accuracy, ood)
    leads = list_leads(models, accuracy, ood)
    pairs = [
        subtract(str(merge), str(rival)) for merge, rival in zip(leads["merge"], leads["control"], strict=True) if rival
    ]
    more = estimate_accuracy(wide, pairs, bootstrap)
    parts = [accuracy, more, *estimate_weights(tables, bootstrap)]
    estimates = pd.concat([part for part in parts if len(part)], ignore_index=True)[COLUMNS]
    estimates[NAMES] = estimates[NAMES].fillna("")
    runs = summarise_runs(tables.name_sft_arm(tables.rl_history), tables.rl_scores, tables.selected, ood)
    return models, estimates.drop_duplicates(NAMES, ignore_index=True), runs


def estimate_weights(tables: StudyTables, bootstrap: Bootstrap) -> list[pd.DataFrame]:
    """Estimate what SFT and RL did to the weights: changes of SFT, changes of RL, and RL's way back."""
    selected = tables.selected
    pairs = (
        (tables.sft_spectra, tables.sft_by_index),
        (tables.name_sft_arm(tables.rl_spectra), tables.name_sft_arm(tables.rl_by_index)),
    )
    changes = [
        estimate_changes(pick_changes(bands, selected), pick_changes(indices, selected), bootstrap)
        for bands, indices in pairs
    ]
    return [*changes, estimate_return(tables.name_sft_arm(tables.rl_return), selected, bootstrap)]


def open_findings(
    models: pd.DataFrame, estimates: pd.DataFrame, runs: pd.DataFrame, *, ood: str, confidence: float
) -> Findings:
    """Open the tables of :func:`estimate_study` as they come back from files, where an empty name is a missing one."""
    names = [name for name in MODEL_COLUMNS if name not in ("step", "knob", "embeddings", "cost_flops")]
    return Findings(
        models.fillna(dict.fromkeys(names, "")), estimates.fillna(dict.fromkeys(NAMES, "")), runs, ood, confidence
    )


def spread_levels(models: pd.DataFrame, estimates: pd.DataFrame, *, by_step: bool) -> pd.DataFrame:
    """Lay pooled pass@1 out with a column for each split, as plots of DVC want it.

    Args:
        models: Output of ``estimate_study``.
        estimates: The same.
        by_step: Whether a row is a step of the first SFT arm (0 is the base), or a model that stands beside edits.
    """
    pooled = estimates[
        (estimates["quantity"] == LEVEL) & (estimates["hands"] == ALL_HANDS) & (estimates["scope"] == POOLED)
    ]
    levels = pooled.pivot(index="subject", columns="split", values="estimate")
    levels.columns.name = None
    first = models.loc[models["kind"] == "sft", "sft_arm"].iloc[0]
    steps = (models["kind"] == "base") | ((models["role"] == STEP_ROLE) & (models["sft_arm"] == first))
    chosen = models[steps if by_step else (models["role"] != STEP_ROLE) & (models["role"] != MIDDLE)]
    shown = ["step"] if by_step else ["model", "kind"]
    table = chosen[[*dict.fromkeys([*shown, "model"])]].merge(levels, left_on="model", right_index=True)
    return table[[*shown, *levels.columns]]
