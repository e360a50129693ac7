"""A run for every model of a study: the base, every checkpoint of SFT and RL, and every edit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from card24_pipeline.tracking.measures import Figures, Key, read_estimates, read_scores
from card24_pipeline.tracking.records import EDITED_STEP, RunRecord, describe, measure, measure_history, read_rows

BASE, END = "base", "end"
CHECKPOINT_TAG = "card24.checkpoint"


@dataclass(frozen=True)
class StudyTables:
    """The tables of all seeds and arms, with columns ``seed`` and ``sft_arm``, ``rl_arm`` or ``edit_arm``."""

    base_scores: pd.DataFrame
    sft_scores: pd.DataFrame
    sft_history: pd.DataFrame
    selected_checkpoints: pd.DataFrame
    rl_scores: pd.DataFrame
    rl_history: pd.DataFrame
    edit_variants: pd.DataFrame
    edit_scores: pd.DataFrame
    estimates: pd.DataFrame


class ChildBuilder:
    """Lays the tables out as runs."""

    def __init__(self, tables: StudyTables, arms: Mapping[str, Mapping[str, Any]], checkpoints: str) -> None:
        """Read the figures of every model.

        Args:
            tables: The study's tables.
            arms: The blocks of ``rl_arms`` and ``edit_arms`` by the names of these parameters.
            checkpoints: Folder of the models, to which runs refer.
        """
        self._tables, self._arms, self._checkpoints = tables, arms, checkpoints
        (self._base,) = read_scores(tables.base_scores, []).values()
        self._sft = read_scores(tables.sft_scores, ["seed", "sft_arm", "step"])
        self._found = read_estimates(tables.estimates)
        self._roles: dict[Key, list[str]] = {}
        for row in read_rows(tables.selected_checkpoints):
            self._roles.setdefault((row["seed"], row["sft_arm"], row["step"]), []).append(row["role"])
        self._ends = {key[:2]: key[2] for key, roles in self._roles.items() if END in roles}

    def build(self) -> tuple[RunRecord, ...]:
        """Return the base's run, then those of SFT, RL and edits, each by seed."""
        return (self._build_base(), *self._build_sft(), *self._build_rl(), *self._build_edits())

    def _build_base(self) -> RunRecord:
        figures = self._base | {"forward_kl_nats": 0.0}
        tags = {CHECKPOINT_TAG: f"{self._checkpoints}/shared/base"}
        return RunRecord(BASE, BASE, describe(method=BASE), tuple(measure(figures, EDITED_STEP)), tags)

    def _build_sft(self) -> Iterator[RunRecord]:
        history = dict(iter(self._tables.sft_history.groupby(["seed", "sft_arm"])))
        for (seed, arm, step), figures in sorted(self._sft.items()):
            own, roles = history[seed, arm], self._roles.get((seed, arm, step), [])
            trained = own.loc[own["step"] == step, "training_flops"]
            cost = {"cost_flops": float(trained.iloc[0])} if len(trained) else {}
            metrics = measure(figures | self._find(seed, arm, roles) | cost, step)
            if step == self._ends[seed, arm]:
                earlier = {0: self._base | {"forward_kl_nats": 0.0}}
                earlier |= {
                    key[2]: found for key, found in self._sft.items() if key[:2] == (seed, arm) and key[2] < step
                }
                metrics += [each for at, found in sorted(earlier.items()) for each in measure(found, int(at))]
                metrics += measure_history(own.drop(columns=["seed", "sft_arm"]), "step", prefix="sft")
            role = ",".join(roles)
            yield RunRecord(
                key=_name(f"{arm}: sft step {step}", role, seed),
                kind="sft",
                params=describe(method="sft", sft_arm=arm, seed=seed, sft_step=step, role=role, moved_from=BASE),
                metrics=tuple(metrics),
                tags={CHECKPOINT_TAG: f"{self._checkpoints}/seed_{seed}/sft/{arm}/step_{step}"},
            )

    def _build_rl(self) -> Iterator[RunRecord]:
        scores = read_scores(self._tables.rl_scores, ["seed", "rl_arm", "from_step"])
        for (seed, arm, step), history in self._tables.rl_history.groupby(["seed", "rl_arm", "from_step"]):
            block = self._arms["rl_arms"][arm]
            roles = self._roles.get((seed, block["sft_arm"], step), [])
            # The history's operations count from the start of the run.
            figures = scores[seed, arm, step] | {"cost_flops": float(history["flops"].max())}
            figures |= self._find(seed, arm, [f"from {role}" for role in roles])
            metrics = measure(self._sft[seed, block["sft_arm"], step], 0) + measure(
                figures, int(history["update"].max())
            )
            metrics += measure_history(history.drop(columns=["seed", "rl_arm", "from_step"]), "update", prefix="rl")
            role = ",".join(roles)
            yield RunRecord(
                key=_name(f"{arm}: {block['algorithm']} from step {step}", role, seed),
                kind="rl",
                params=describe(
                    method=block["algorithm"], sft_arm=block["sft_arm"], arm=arm, seed=seed, sft_step=step, role=role,
                    moved_from=f"step {step}",
                ),
                metrics=tuple(metrics),
                tags={CHECKPOINT_TAG: f"{self._checkpoints}/seed_{seed}/rl/{arm}/from_step_{step}"},
            )  # fmt: skip

    def _build_edits(self) -> Iterator[RunRecord]:
        scores = read_scores(self._tables.edit_scores, ["seed", "edit_arm", "variant"])
        copied = ("method", "donor", "knob_name", "matrices", "embeddings")
        for row in read_rows(self._tables.edit_variants):
            seed, arm, variant = row["seed"], row["edit_arm"], row["variant"]
            sft_arm = self._arms["edit_arms"][arm]["sft_arm"]
            figures = scores[seed, arm, variant] | {"cost_flops": float(row["edit_flops"])}
            knob = row["knob"] if row["knob_name"] else None
            params = describe(
                **{name: row[name] for name in copied},
                knob=knob,
                layers=f"quarter {knob:g}" if row["knob_name"] == "quarter" else None,
                sigma_source=row["sigma"],
                sft_arm=sft_arm,
                arm=arm,
                seed=seed,
                sft_step=self._ends[seed, sft_arm],
                role=END,
            )
            metrics = tuple(measure(figures | self._find(seed, arm, [variant]), EDITED_STEP))
            yield RunRecord(_name(f"{arm}: {variant}", "", seed), "edit", params, metrics)

    def _find(self, seed: int, arm: str, names: list[str]) -> Figures:
        """Return what the findings say of a model in one seed, by any of its names."""
        found: Figures = {}
        for name in names:
            found |= self._found.get((seed, f"{arm}/{name}"), {})
        return found


def _name(title: str, role: str, seed: int) -> str:
    return f"{title} ({role}), seed {seed}" if role else f"{title}, seed {seed}"
