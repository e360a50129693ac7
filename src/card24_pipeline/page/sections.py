"""Every figure of a study, by the sections of the page; the same are drawn as files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from card24_pipeline.findings.changes import pick_changes
from card24_pipeline.findings.choices import CLAIMED_MERGE
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.findings.models import name_model, name_run
from card24_pipeline.findings.reading import RUN, StudyTables
from card24_pipeline.page.edit_figures import KNOBS, is_drawable, show_choices, show_costs, show_frontier, show_knobs
from card24_pipeline.page.page import Section
from card24_pipeline.page.sft_paths import show_paths, table_arms, table_paths
from card24_pipeline.page.titles import title_family
from card24_pipeline.page.training_figures import show_accuracy, show_outcomes, show_rl_gains, show_rl_training
from card24_pipeline.page.weight_figures import show_depth, show_rotation, show_sigma
from card24_pipeline.study.rows import read_rows
from card24_pipeline.study.vocabulary import BASE, END, ID_SEEN, MAX_OOD, sort_roles

FIGURE_KEYS = (
    "frontier", "edits_controls", "edits_cost", "sft_paths", "sft_curves", "rl_gains", "rl_training",
    "spectra_rotation", "spectra_depth", "spectra_sigma", "outcomes",
)  # fmt: skip
"""Figures that every study has, which are drawn as files too."""


def build_sections(findings: Findings, tables: StudyTables) -> list[Section]:
    """Build every section of the page.

    Args:
        findings: What was found.
        tables: What was measured, for figures that show more than estimates.
    """
    arm = findings.sft_arm
    after, before = name_model(arm, END), BASE
    spectra = (tables.sft_spectra, tables.sft_spectra_by_index)
    selected = tables.selected_checkpoints[["seed", "sft_arm", "role", "step"]]
    bands, indices = (pick_changes(table, selected) for table in spectra)
    bands, indices = (table[(table["subject"] == after) & (table["reference"] == before)] for table in (bands, indices))
    edits = [show_frontier(findings), *(show_knobs(findings, key) for key in KNOBS), show_choices(findings)]
    return [
        Section(
            "paths",
            "SFT, arm by arm",
            [show_paths(findings)],
            {"Checkpoints of every arm": table_paths(findings), "Arms at the same checkpoint": table_arms(findings)},
        ),
        Section("edits", "Cheap edits in place of RL", [f for f in [*edits, show_costs(findings)] if is_drawable(f)]),
        Section("training", "SFT and RL", [show_accuracy(findings), show_rl_gains(findings)]),
        Section("rl", "RL while it trains", [show_rl_training(tables.rl_history, tables.starts)]),
        Section(
            "weights",
            "How the weights moved",
            [show_rotation(indices), show_depth(bands), show_sigma(indices)],
        ),
        Section(
            "errors",
            "What goes wrong",
            [show_outcomes(list_hands_by_role(findings, tables), (findings.ood, ID_SEEN))],
        ),
    ]


def list_hands_by_role(findings: Findings, tables: StudyTables) -> dict[str, pd.DataFrame]:
    """Return the graded hands of the models that are compared outcome by outcome, by their titles."""
    arm, selected, starts = findings.sft_arm, tables.selected_checkpoints, tables.starts
    found = {BASE: tables.base_hand_scores}
    for role in (MAX_OOD, END):
        chosen = selected[(selected["role"] == role) & (selected["sft_arm"] == arm)]
        found[findings.title(name_model(arm, role))] = tables.sft_hand_scores.merge(
            chosen, on=["seed", "sft_arm", "step"]
        )
    for rl_arm in findings.rl_arms:
        hands = tables.rl_hand_scores[tables.rl_hand_scores["rl_arm"] == rl_arm]
        found[findings.title(name_run(rl_arm, END))] = hands.merge(starts[starts["role"] == END], on=RUN)
    merge = findings.name_edit(CLAIMED_MERGE)
    for row in read_rows(findings.models[findings.models["model"] == merge]):
        own = tables.edit_hand_scores[tables.edit_hand_scores["edit_arm"] == row["arm"]]
        found[f"{title_family(row, findings)}, {row['knob']:g}"] = own[own["variant"] == CLAIMED_MERGE]
    return {title: hands for title, hands in found.items() if len(hands)}


def name_hands(tables: StudyTables) -> dict[tuple[str, int | None], pd.DataFrame]:
    """List the graded hands of every model and seed, by what the browser of hands calls them."""
    base = tables.base_hand_scores
    models: dict[tuple[str, int | None], pd.DataFrame] = {(BASE, None): base}
    if not tables.base_is_shared:
        seeds: Iterable[tuple[Any, pd.DataFrame]] = base.groupby("seed", sort=False)
        models = {(BASE, int(seed)): hands for seed, hands in seeds}
    for arm, template, column, table in (
        ("sft_arm", "SFT step {}", "step", tables.sft_hand_scores),
        ("rl_arm", "RL from step {}", "from_step", tables.rl_hand_scores),
        ("edit_arm", "{}", "variant", tables.edit_hand_scores),
    ):
        several = table[arm].nunique() > 1
        groups: Iterable[tuple[Any, pd.DataFrame]] = table.groupby([arm, column, "seed"], sort=False)
        for (name, value, seed), hands in groups:
            models[f"{name} {template.format(value)}" if several else template.format(value), int(seed)] = hands
    return models


def list_roles(tables: StudyTables) -> dict[str, Mapping[int, str]]:
    """Name the SFT models of ``name_hands`` by the role of their checkpoint: its step, by role and seed."""
    several = tables.selected_checkpoints["sft_arm"].nunique() > 1
    roles: dict[str, Mapping[int, str]] = {}
    for arm, chosen in tables.selected_checkpoints.groupby("sft_arm", sort=False):
        for role in sort_roles(chosen["role"]):
            own = chosen[chosen["role"] == role]
            prefix = f"{arm} " if several else ""
            steps = zip(own["seed"], own["step"], strict=True)
            roles[f"{prefix}{role}"] = {int(seed): f"{prefix}SFT step {step}" for seed, step in steps}
    return roles
