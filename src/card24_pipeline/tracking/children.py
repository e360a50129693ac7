"""A run for every model of a study: the base, every checkpoint of SFT and RL, and every edit of End."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pandas as pd

from card24_pipeline.tracking.measures import Figures, Key, measure_recovery, read_movements, read_scores
from card24_pipeline.tracking.records import (
    EDITED_STEP,
    Measurement,
    RunRecord,
    describe,
    measure,
    measure_history,
    read_rows,
)

BASE, END, MAX_OOD = "base", "end", "max_ood"
PLAIN, ANCHORED = "plain", "anchored"
RL_FOLDERS = {PLAIN: "rl", ANCHORED: "rl_anchored"}
RL_PAIRS = {PLAIN: "sft_to_rl", ANCHORED: "sft_to_rl_anchored"}
CHECKPOINT_TAG = "card24.checkpoint"


@dataclass(frozen=True)
class StudyTables:
    """The tables of all seeds, with a column ``seed`` in all but the base's; RL's by arm."""

    base_scores: pd.DataFrame
    sft_scores: pd.DataFrame
    sft_history: pd.DataFrame
    selected_checkpoints: pd.DataFrame
    rl_scores: Mapping[str, pd.DataFrame]
    rl_history: Mapping[str, pd.DataFrame]
    spectra: pd.DataFrame
    recovery_variants: pd.DataFrame
    recovery_scores: pd.DataFrame

    def list_named(self) -> dict[str, pd.DataFrame]:
        """Return every table by the name that it has in the catalog."""
        rl = {
            f"{RL_FOLDERS[arm]}_{kind}": table
            for kind, tables in (("scores", self.rl_scores), ("history", self.rl_history))
            for arm, table in tables.items()
        }
        single = {name: table for name, table in vars(self).items() if isinstance(table, pd.DataFrame)}
        return dict(sorted((single | rl).items()))


class ChildBuilder:
    """Lays the tables out as runs."""

    def __init__(self, tables: StudyTables, *, algorithm: str, checkpoints: str) -> None:
        """Read the figures of every model.

        Args:
            tables: The study's tables.
            algorithm: The algorithm of RL, by which its runs' ``method`` is called.
            checkpoints: Folder of the models, to which runs refer.
        """
        self._tables, self._algorithm, self._checkpoints = tables, algorithm, checkpoints
        (self._base,) = read_scores(tables.base_scores, []).values()
        self._sft = read_scores(tables.sft_scores, ["seed", "step"])
        self._movements = read_movements(tables.spectra)
        roles = tables.selected_checkpoints.groupby(["seed", "step"], sort=False)["role"]
        self._roles = cast(dict[Key, str], roles.agg(",".join).to_dict())
        self._steps = {(row["seed"], row["role"]): int(row["step"]) for row in read_rows(tables.selected_checkpoints)}

    def build(self) -> tuple[RunRecord, ...]:
        """Return the base's run, then those of SFT, RL and recovery, each by seed."""
        return (self._build_base(), *self._build_sft(), *self._build_rl(), *self._build_edits())

    def _build_base(self) -> RunRecord:
        figures = self._base | {"forward_kl_nats": 0.0}
        tags = {CHECKPOINT_TAG: f"{self._checkpoints}/shared/base"}
        return RunRecord(BASE, BASE, describe(method=BASE), tuple(measure(figures, EDITED_STEP)), tags)

    def _build_sft(self) -> list[RunRecord]:
        history = dict(iter(self._tables.sft_history.groupby("seed")))
        runs = []
        for seed, step in sorted(self._sft):
            own = history[seed]
            trained = own.loc[own["step"] == step, "training_flops"]
            cost = {"cost_flops": float(trained.iloc[0])} if len(trained) else {}
            metrics = measure(self._sft[seed, step] | self._movements.get((seed, "base_to_sft", step), {}) | cost, step)
            if step == max(own_step for own_seed, own_step in self._sft if own_seed == seed):
                metrics += self._trace_sft(seed, before=step) + measure_history(
                    own.drop(columns="seed"), "step", prefix="sft"
                )
            params = describe(
                method="sft", seed=seed, sft_step=step, role=self._roles.get((seed, step)), moved_from=BASE
            )
            runs.append(
                RunRecord(
                    key=_name(f"sft step {step}", self._roles.get((seed, step)), seed),
                    kind="sft",
                    params=params,
                    metrics=tuple(metrics),
                    tags={CHECKPOINT_TAG: f"{self._checkpoints}/seed_{seed}/sft/step_{step}"},
                )
            )
        return runs

    def _trace_sft(self, seed: int, *, before: int) -> list[Measurement]:
        """Return the scores of the checkpoints before a seed's last one, the base as step 0."""
        earlier = [(step, figures) for (own, step), figures in sorted(self._sft.items()) if own == seed]
        points = [(0, self._base | {"forward_kl_nats": 0.0}), *earlier]
        return [measurement for step, figures in points if step < before for measurement in measure(figures, int(step))]

    def _build_rl(self) -> list[RunRecord]:
        runs = []
        for arm in RL_FOLDERS:
            histories = dict(iter(self._tables.rl_history[arm].groupby(["seed", "from_step"])))
            scores = read_scores(self._tables.rl_scores[arm], ["seed", "from_step"])
            runs += [
                self._build_rl_run(arm, (seed, step), scores[seed, step], histories[seed, step])
                for seed, step in sorted(scores)
            ]
        return runs

    def _build_rl_run(self, arm: str, start: Key, figures: Figures, history: pd.DataFrame) -> RunRecord:
        seed, step = start
        role = self._roles.get(start)
        last = int(history["update"].max())
        # The history's operations count from the start of the run.
        figures = figures | {"cost_flops": float(history["flops"].max())}
        figures |= self._movements.get((seed, RL_PAIRS[arm], step), {})
        if self._steps[seed, END] == step:
            figures |= measure_recovery(figures, self._sft[start], self._get_donor(seed, MAX_OOD))
        metrics = measure(self._sft[start], 0) + measure(figures, last)
        metrics += measure_history(history.drop(columns=["seed", "from_step"]), "update", prefix="rl")
        title = self._algorithm if arm == PLAIN else f"{arm} {self._algorithm}"
        return RunRecord(
            key=_name(f"{title} from step {step}", role, seed),
            kind="rl",
            params=describe(
                method=self._algorithm, arm=arm, seed=seed, sft_step=step, role=role, moved_from=f"step {step}"
            ),
            metrics=tuple(metrics),
            tags={CHECKPOINT_TAG: f"{self._checkpoints}/seed_{seed}/{RL_FOLDERS[arm]}/from_step_{step}"},
        )

    def _build_edits(self) -> list[RunRecord]:
        scores = read_scores(self._tables.recovery_scores, ["seed", "variant"])
        runs = []
        for row in read_rows(self._tables.recovery_variants):
            seed, end = row["seed"], self._steps[row["seed"], END]
            figures = scores[seed, row["variant"]] | {"cost_flops": float(row["edit_flops"])}
            figures |= measure_recovery(figures, self._sft[seed, end], self._get_donor(seed, row["donor"]))
            knob = row["knob"] if row["knob_name"] else None
            params = describe(
                method=row["method"],
                donor=row["donor"],
                knob_name=row["knob_name"],
                knob=knob,
                layers=f"quarter {knob:g}" if row["knob_name"] == "quarter" else None,
                matrices=row["matrices"],
                embeddings=row["embeddings"],
                sigma_source=row["sigma"],
                seed=seed,
                sft_step=end,
                role=END,
            )
            metrics = tuple(measure(figures, EDITED_STEP))
            runs.append(RunRecord(_name(row["variant"], None, seed), "recovery", params, metrics))
        return runs

    def _get_donor(self, seed: int, donor: str) -> Figures:
        return self._base if donor == BASE else self._sft[seed, self._steps[seed, donor]]


def _name(title: str, role: str | None, seed: int) -> str:
    return f"{title} ({role}), seed {seed}" if role else f"{title}, seed {seed}"
