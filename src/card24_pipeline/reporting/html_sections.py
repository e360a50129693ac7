"""The sections of the page, out of whatever tables there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from card24_pipeline.reporting.html_page import Section
from card24_pipeline.reporting.html_recovery import (
    show_choices,
    show_costs,
    show_fractions,
    show_frontier,
    show_quarters,
)
from card24_pipeline.reporting.html_training import show_accuracy, show_outcomes, show_rl
from card24_pipeline.reporting.html_weights import show_depth, show_rotation, show_sigma
from card24_pipeline.reporting.recovery_models import BASE, END, MAX_OOD, name_family
from card24_pipeline.reporting.recovery_verdicts import CLAIMED_EDITS
from card24_pipeline.reporting.rl_contrasts import ANCHORED, PLAIN, RlContrastBuilder, sort_roles
from card24_pipeline.reporting.spectra_summary import find_fraction
from card24_pipeline.reporting.tables import name_role


@dataclass(frozen=True)
class StudyTables:
    """What the page shows; None where it has not been run yet.

    Attributes:
        base_hands: The base's graded hands.
        sft_hands: Graded hands of every seed and SFT step.
        selected: Columns ``seed``, ``role``, ``step``.
        curves: Output of ``CurveBuilder.trace_accuracy``.
        rl_hands: Graded hands after RL, by arm.
        rl_history: Updates of RL, by arm.
        spectra: One row per seed, pair, step, tensor, model, draw, band and fraction.
        by_index: One row per seed, pair, step, tensor, model and index.
        points: Output of ``RecoveryBuilder.trace_points``.
        chosen: Output of ``RecoveryBuilder.measure_leads``.
        recovery_hands: Graded hands of every seed and variant.
    """

    base_hands: pd.DataFrame
    sft_hands: pd.DataFrame | None
    selected: pd.DataFrame | None
    curves: pd.DataFrame | None
    rl_hands: Mapping[str, pd.DataFrame | None]
    rl_history: Mapping[str, pd.DataFrame | None]
    spectra: pd.DataFrame | None
    by_index: pd.DataFrame | None
    points: pd.DataFrame | None
    chosen: pd.DataFrame | None
    recovery_hands: pd.DataFrame | None


def build_sections(study: StudyTables, resamples: int, confidence: float, seed: int) -> list[Section]:
    """Build every section; one whose tables are missing says how to make them.

    Args:
        study: The tables.
        resamples: Bootstrap draws of the intervals that are taken here.
        confidence: Their level.
        seed: Seed of the draws.
    """
    builder = RlContrastBuilder(resamples=resamples, confidence=confidence, seed=seed)
    return [
        _show_training(study, builder),
        _show_rl(study),
        _show_weights(study),
        _show_recovery(study),
        _show_errors(study),
    ]


def list_models(study: StudyTables) -> dict[tuple[str, int | None], pd.DataFrame]:
    """List the graded hands of every model and seed, by what the browser calls them."""
    models: dict[tuple[str, int | None], pd.DataFrame] = {("base", None): study.base_hands}
    tables = [
        ("SFT step {}", "step", study.sft_hands),
        ("RL from step {}", "from_step", study.rl_hands[PLAIN]),
        ("anchored RL from step {}", "from_step", study.rl_hands[ANCHORED]),
        ("{}", "variant", study.recovery_hands),
    ]
    for name, column, table in tables:
        if table is not None:
            groups: Iterable[tuple[Any, pd.DataFrame]] = table.groupby([column, "seed"], sort=False)
            models |= {(name.format(value), int(seed)): hands for (value, seed), hands in groups}
    return models


def list_roles(study: StudyTables) -> dict[str, dict[int, str]]:
    """Name the models of ``list_models`` by the role of their checkpoint: its step, by role and seed."""
    roles: dict[str, dict[int, str]] = {}
    if study.selected is None:
        return roles
    starts = {"{}": "SFT step {}"}
    if study.rl_hands[PLAIN] is not None:
        starts["RL from {}"] = "RL from step {}"
    for title, name in starts.items():
        for role in sort_roles(study.selected["role"]):
            chosen = study.selected[study.selected["role"] == role]
            roles[title.format(name_role(role))] = {
                int(seed): name.format(step) for seed, step in zip(chosen["seed"], chosen["step"], strict=True)
            }
    return roles


def _show_training(study: StudyTables, builder: RlContrastBuilder) -> Section:
    key, title = "training", "SFT and RL"
    if study.curves is None or study.sft_hands is None:
        return Section(key, title, missing=_say_how("SFT", "sft"))
    played = {arm: hands for arm, hands in study.rl_hands.items() if hands is not None}
    gains = builder.trace_gains(study.sft_hands, played) if played else None
    missing = "" if played else _say_how("RL", "rl")
    return Section(key, title, figures=[show_accuracy(study.curves, gains)], missing=missing)


def _show_rl(study: StudyTables) -> Section:
    history = {arm: updates for arm, updates in study.rl_history.items() if updates is not None and len(updates)}
    if not history or study.selected is None:
        return Section("rl", "RL while it trains", missing=_say_how("RL", "rl"))
    return Section("rl", "RL while it trains", figures=[show_rl(history, study.selected)])


def _show_weights(study: StudyTables) -> Section:
    if study.spectra is None or study.by_index is None or study.selected is None:
        return Section("weights", "How the weights moved", missing=_say_how("The spectra", "spectra"))
    fraction = find_fraction(study.spectra)
    figures = [
        show_rotation(study.by_index, study.selected),
        show_depth(study.spectra, study.selected, fraction=fraction),
        show_sigma(study.by_index, study.selected),
    ]
    return Section("weights", "How the weights moved", figures=figures)


def _show_recovery(study: StudyTables) -> Section:
    if study.points is None or study.chosen is None:
        return Section("recovery", "Cheap edits in place of RL", missing=_say_how("Recovery", "recovery"))
    figures = [
        show_frontier(study.points),
        show_fractions(study.points),
        show_quarters(study.points),
        show_choices(study.chosen),
        show_costs(study.points),
    ]
    # A grid without some method leaves nothing to draw of it.
    return Section("recovery", "Cheap edits in place of RL", figures=[each for each in figures if len(each.table)])


def _show_errors(study: StudyTables) -> Section:
    if study.sft_hands is None or study.selected is None:
        return Section("errors", "What goes wrong", missing=_say_how("SFT", "sft"))
    steps = study.selected.rename(columns={"step": "from_step"})
    models = {name_family(BASE): study.base_hands}
    for role in (MAX_OOD, END):
        chosen = study.selected[study.selected["role"] == role]
        models[name_role(role)] = study.sft_hands.merge(chosen[["seed", "step"]], on=["seed", "step"])
    for arm, title in ((PLAIN, "RL from End"), (ANCHORED, "anchored RL from End")):
        hands = study.rl_hands[arm]
        if hands is not None and len(hands):
            ends = steps.loc[steps["role"] == END, ["seed", "from_step"]]
            models[title] = hands.merge(ends, on=["seed", "from_step"])
    if study.recovery_hands is not None:
        for variant in CLAIMED_EDITS:
            hands = study.recovery_hands[study.recovery_hands["variant"] == variant]
            if len(hands):
                models[_name_variant(variant)] = hands
    return Section("errors", "What goes wrong", figures=[show_outcomes(models)])


def _name_variant(variant: str) -> str:
    *family, knob = variant.split()
    return f"{name_family(' '.join(family))}, {knob.partition('=')[2]}"


def _say_how(what: str, pipeline: str) -> str:
    return (
        f"{what} has not been run yet for every seed: `dvc repro` runs what is missing, or "
        f"`kedro run --pipelines {pipeline}` for one seed."
    )
