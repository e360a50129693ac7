"""A run for every model of a study, the base, every checkpoint of SFT and RL, and every edit, with its figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from card24_pipeline.study.rows import read_rows
from card24_pipeline.study.vocabulary import ALONE, starts_from
from card24_pipeline.tracking.records import EDITED_STEP, RunRecord, describe, measure, measure_history

BASE, END = "base", "end"
CHECKPOINT_TAG = "card24.checkpoint"
PASS = "pass_at_1"
PUBLISHED = "published_"
ESTIMATES = {
    # quantity and model of the change, as the findings name them: name of the metric
    ("recovered share of the loss", ""): "recovered_share",
    ("angle of the top", "observed"): "angle_top20_degrees",
    ("relative shift of singular values", "observed"): "relative_sigma_shift",
}

Figures = dict[str, float]
Key = tuple[Any, ...]


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

    def __init__(self, tables: StudyTables, arms: Mapping[str, Mapping[str, Any]], checkpoints: str, ood: str) -> None:
        """Read the figures of every model.

        ``arms`` are the blocks of ``rl_arms`` and ``edit_arms`` by the names of these parameters, ``checkpoints`` the
        folder of the models, to which runs refer, and ``ood`` the OOD split of the claims.
        """
        self._tables, self._arms, self._checkpoints = tables, arms, checkpoints
        # One that was given may serve all seeds.
        bases = _read_scores(tables.base_scores, ["seed"] if "seed" in tables.base_scores else [])
        self._bases = {key: scores | {"forward_kl_nats": 0.0} for key, scores in bases.items()}
        self._sft = _read_scores(tables.sft_scores, ["seed", "sft_arm", "step"])
        self._found = _read_estimates(tables.estimates, ood)
        self._roles: dict[Key, list[str]] = {}
        for row in read_rows(tables.selected_checkpoints):
            self._roles.setdefault((row["seed"], row["sft_arm"], row["step"]), []).append(row["role"])
        self._ends = {key[:2]: key[2] for key, roles in self._roles.items() if END in roles}

    def build(self) -> tuple[RunRecord, ...]:
        """Return the runs of bases, SFT, RL and edits, each by seed."""
        return (*self._build_bases(), *self._build_sft(), *self._build_rl(), *self._build_edits())

    def _build_bases(self) -> Iterator[RunRecord]:
        for key, figures in self._bases.items():
            folder, about = (f"seed_{key[0]}", {"seed": key[0]}) if key else ("shared", {})
            tags = {CHECKPOINT_TAG: f"{self._checkpoints}/{folder}/base"}
            name = _name(BASE, "", key[0]) if key else BASE
            yield RunRecord(name, BASE, describe(method=BASE, **about), tuple(measure(figures, EDITED_STEP)), tags)

    def _get_base(self, seed: int) -> Figures:
        return self._bases.get((seed,)) or self._bases[()]

    def _build_sft(self) -> Iterator[RunRecord]:
        history = dict(iter(self._tables.sft_history.groupby(["seed", "sft_arm"])))
        for (seed, arm, step), figures in sorted(self._sft.items()):
            own, roles = history[seed, arm], self._roles.get((seed, arm, step), [])
            trained = own.loc[own["step"] == step, "training_flops"]
            cost = {"cost_flops": float(trained.iloc[0])} if len(trained) else {}
            metrics = measure(figures | self._find(seed, arm, roles) | cost, step)
            if step == self._ends[seed, arm]:
                metrics += measure(self._get_base(seed), 0)
                for key, found in sorted(self._sft.items()):
                    metrics += measure(found, int(key[2])) if key[:2] == (seed, arm) and key[2] < step else []
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
        scores = _read_scores(self._tables.rl_scores, ["seed", "rl_arm", "from_step"])
        runs: Iterable[tuple[Any, pd.DataFrame]] = self._tables.rl_history.groupby(["seed", "rl_arm", "from_step"])
        for (seed, arm, step), history in runs:
            block = self._arms["rl_arms"][arm]
            roles = self._roles.get((seed, block["sft_arm"], step), [])
            roles = [role for role in roles if starts_from(block["roles"], role)]
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
        scores = _read_scores(self._tables.edit_scores, ["seed", "edit_arm", "variant"])
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


def _read_scores(scores: pd.DataFrame, keys: list[str]) -> dict[Key, Figures]:
    """Read the scores of every model, told apart by the columns ``keys``.

    Pass@1 of each split but the published draws, card-to-number accuracy of OOD splits that are not for choosing and,
    where the table has it, the KL divergence from the base.
    """
    found: dict[Key, Figures] = {}
    for row in read_rows(scores[(scores["base_met_multiset"] == "all") & ~scores["split"].str.startswith(PUBLISHED)]):
        figures, split = found.setdefault(tuple(row[key] for key in keys), {}), row["split"]
        figures[f"{split}_{PASS}"] = row[PASS]
        if not split.startswith("id_") and not split.endswith("_select"):
            figures[f"{split}_card_to_number_accuracy"] = row["card_to_number_accuracy"]
        if "forward_kl_nats" in row:
            figures["forward_kl_nats"] = row["forward_kl_nats"]
    return found


def _read_estimates(estimates: pd.DataFrame, ood: str) -> dict[Key, Figures]:
    """Read what the findings say of each model in each seed: by seed and model, the metrics of ``ESTIMATES``.

    Changes of weights are those from where the model came from: the base for SFT, its start for RL. Shares are those
    on the OOD split of the claims.
    """
    found: dict[Key, Figures] = {}
    for row in read_rows(estimates[estimates["scope"].str.startswith(ALONE) & estimates["split"].isin(("", ood))]):
        name = ESTIMATES.get((row["quantity"], row["change_model"]))
        from_origin = row["reference"] == "base" or "/from " in row["subject"]
        if name and (from_origin or name == "recovered_share"):
            found.setdefault((int(row["scope"].removeprefix(ALONE)), row["subject"]), {})[name] = row["estimate"]
    return found
