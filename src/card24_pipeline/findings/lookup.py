"""Looking estimates up by what they are of; statements and pages read no table in another way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from card24_pipeline.findings.accuracy import DIFFERENCE, LEVEL, RECOVERED
from card24_pipeline.findings.models import name_model, name_run
from card24_pipeline.study.rows import read_rows
from card24_pipeline.study.vocabulary import (
    ALL_HANDS,
    BASE,
    END,
    MIDDLE,
    OBSERVED,
    POOLED,
    RUNG,
    is_id_level,
    sort_roles,
    title_role,
)

Row = Mapping[str, Any]
ROW_KEY = ["quantity", "subject", "reference", "split", "hands", "change_model", "scope"]
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Found:
    """What the study measured on a statement.

    Attributes:
        row: The pooled estimate; None where it could not be measured.
        by_seed: The estimate of each replicate alone.
        note: Why it was not measured, or what to know of it.
        decides: False where runs behind it do not count.
    """

    row: Row | None = None
    by_seed: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    decides: bool = True


@dataclass(frozen=True)
class Findings:
    """The tables of a study's findings.

    Attributes:
        models: Output of ``mark_choices``.
        estimates: Every estimate, see ``estimate_accuracy`` and ``estimate_changes``.
        runs: Output of ``summarise_runs``.
        ood: Name of the OOD split of the claims.
        confidence: Level of all intervals.
        compare_arms: SFT arms, each with the one that it is held against.
        arm_notes: What to know of an SFT arm.
    """

    models: pd.DataFrame
    estimates: pd.DataFrame
    runs: pd.DataFrame
    ood: str
    confidence: float
    compare_arms: Mapping[str, str] = field(default_factory=dict)
    arm_notes: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _rows(self) -> dict[tuple[str, ...], Row]:
        return {tuple(str(row[name]) for name in ROW_KEY): row for row in read_rows(self.estimates)}

    @property
    def sft_arm(self) -> str:
        """The SFT arm that the claims are about: the first one."""
        return str(self.models.loc[self.models["kind"] == "sft", "sft_arm"].iloc[0])

    @cached_property
    def rl_arms(self) -> list[str]:
        """The RL arms that start from that SFT arm; claims are about the first one."""
        own = self.models[(self.models["kind"] == "rl") & (self.models["sft_arm"] == self.sft_arm)]
        return [str(arm) for arm in own["arm"].unique()]

    def name_edit(self, variant: str) -> str:
        """Return the model of a variant among the edits of that SFT arm's End; empty where there is none."""
        own = self.models[(self.models["kind"] == "edit") & (self.models["sft_arm"] == self.sft_arm)]
        return next((str(model) for model in own["model"] if str(model).partition("/")[2] == variant), "")

    def name_run(self, role: str) -> str:
        """Return the model after RL from a role, by the first of ``rl_arms``; empty where there is no RL."""
        return name_run(self.rl_arms[0], role) if self.rl_arms else ""

    @cached_property
    def sft_arms(self) -> list[str]:
        """All SFT arms, the claims' first."""
        return [str(arm) for arm in self.models.loc[self.models["kind"] == "sft", "sft_arm"].unique()]

    @cached_property
    def arm_pairs(self) -> list[tuple[str, str]]:
        """The pairs of ``compare_arms`` that the study has: an SFT arm and the one that it is held against."""
        return [pair for pair in self.compare_arms.items() if {*pair} <= {*self.sft_arms}]

    @cached_property
    def seeds(self) -> list[str]:
        """The scopes of single replicates, as ``replicate 0``."""
        return [scope for scope in self.estimates["scope"].unique() if scope != POOLED]

    @property
    def conditional(self) -> bool:
        """Whether all there is stands on one base: a single replicate, or a base that was given to all of them."""
        return len(self.seeds) == 1 or bool(self.models.loc[self.models["kind"] == "base", "shared"].all())

    def list_levels(self, *arms: str) -> list[str]:
        """Return the levels of ID that each of these SFT arms reaches in some replicate, by rising ID."""
        sft = self.models[self.models["kind"] == "sft"]
        reached = [set(sft.loc[sft["sft_arm"] == arm, "role"]) for arm in arms]
        return sort_roles(filter(is_id_level, set.intersection(*reached)))

    def find(
        self,
        quantity: str,
        subject: str,
        reference: str = "",
        *,
        split: str = "",
        hands: str = ALL_HANDS,
        change_model: str = "",
        scope: str = POOLED,
    ) -> Row | None:
        """Return one estimate, None where there is none; a split or a model of changes is needed, by the quantity."""
        return self._rows.get((quantity, subject, reference, split, hands if split else "", change_model, scope))

    def measure(
        self, quantity: str, subject: str, reference: str, *, runs: tuple[str, ...] = (), **where: str
    ) -> Found:
        """Look a pooled estimate up with those of the replicates alone.

        Args:
            quantity: Name of the quantity.
            subject: Model that it is about.
            reference: Model that it is held against.
            runs: Names of the RL models that it rests on.
            **where: As :meth:`find` takes it.
        """
        row = self.find(quantity, subject, reference, **where)
        if row is None:
            return Found(note=NOT_MEASURED)
        alone = {seed: self.find(quantity, subject, reference, scope=seed, **where) for seed in self.seeds}
        by_seed = {seed: float(found["estimate"]) for seed, found in alone.items() if found is not None}
        idle = [run for run in runs if not self.counts(run)]
        note = f"runs that do not count: {', '.join(map(self.title, idle))}" if idle else ""
        return Found(row, by_seed, note, decides=not idle)

    def difference(
        self, subject: str, reference: str, *, split: str | None = None, runs: tuple[str, ...] = ()
    ) -> Found:
        """Look the difference of two models up, on the OOD split unless another is given."""
        return self.measure(DIFFERENCE, subject, reference, runs=runs, split=split or self.ood)

    def recovered(self, model: str, donor: str) -> Found:
        """Look the recovered share of an edit up."""
        found = self.measure(RECOVERED, model, donor, split=self.ood)
        known = model in set(self.models["model"])
        return Found(note="not given, for the loss itself is in doubt") if found.row is None and known else found

    def change(self, quantity: str, *, change_model: str = OBSERVED) -> Found:
        """Look a quantity of the change from the base to End up."""
        return self.measure(quantity, name_model(self.sft_arm, END), BASE, change_model=change_model)

    def level(self, model: str, split: str | None = None) -> float:
        """Return a model's pooled pass@1, NaN where it was not scored."""
        row = self.find(LEVEL, model, split=split or self.ood)
        return float("nan") if row is None else float(row["estimate"])

    def counts(self, model: str) -> bool:
        """Tell whether all runs of an RL model count; of the middle, those from every rung."""
        arm, _, role = model.partition("/from ")
        roles = self.runs["role"].str.startswith(RUNG) if role == MIDDLE else self.runs["role"] == role
        runs = self.runs[(self.runs["rl_arm"] == arm) & roles]
        return bool(len(runs)) and bool(runs["counts"].all())

    @cached_property
    def _sft_arms(self) -> dict[str, str]:
        return dict(zip(self.models["model"], self.models["sft_arm"], strict=True))

    def title(self, model: str) -> str:
        """Write a model as it stands in tables and figures; the first SFT arm goes without its name."""
        arm, _, name = model.partition("/")
        if not name:
            return model
        sft_arm = self._sft_arms.get(model, self.sft_arm)
        other = "" if sft_arm == self.sft_arm else f" ({sft_arm})"
        if name.startswith("from "):
            return f"{arm} RL from {title_role(name.removeprefix('from '))}{other}"
        return f"{name if ' ' in name else title_role(name)}{other}"
