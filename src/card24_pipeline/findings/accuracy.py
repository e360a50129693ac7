"""Every quantity on accuracy: pass@1 of models, their paired differences, and shares of what was lost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from card24_pipeline.findings.models import HAND, STEP_ROLE, name_model
from card24_pipeline.findings.resampling import Bootstrap, Resampled, Sample, take_sample
from card24_pipeline.study.rows import read_rows
from card24_pipeline.study.vocabulary import (
    ALL_HANDS,
    ALONE,
    BASE,
    END,
    HAND_GROUPS,
    ID_HELDOUT,
    ID_SEEN,
    MAX_OOD,
    POOLED,
    SELECT,
    is_id_level,
    sort_roles,
)

LEVEL, DIFFERENCE, GAIN_DIFFERENCE = "pass@1", "difference of pass@1", "difference of gains"
RECOVERED, SOLVED = "recovered share of the loss", "share solved"

ID_TOLERANCE = 0.01
"""How far pass@1 on practised ID hands may lie below End's for ID to count as kept; set before the study was run."""

RECOVERED_BOUND = 0.70
"""The published claim: top directions, or the first layers, recover 70–80 % of the lost OOD accuracy."""

OVERLAPS = {
    # hands before RL: whether MaxOOD and whether End solved them
    "lost": (1, 0),
    "solved by neither": (0, 0),
    "solved by both": (1, 1),
    "solved by End only": (0, 1),
}


@dataclass(frozen=True)
class Quantity:
    """A weighted sum of models' pass@1, or one such sum as a share of another.

    Attributes:
        name: What it is: one of the names above.
        subject: The model that it is about.
        reference: The model that this is held against.
        part: Weights of models.
        whole: Weights of what it is a share of; none where it is no share.
        bound: The bound that its p-value is for.
        shared: Whether it is of a model that replicates share, which is one and not several.
    """

    name: str
    subject: str
    reference: str
    part: Mapping[str, float]
    whole: Mapping[str, float] | None = None
    bound: float | None = None
    shared: bool = False

    @property
    def models(self) -> set[str]:
        """The models that it needs."""
        return {*self.part, *(self.whole or {})}


def subtract(subject: str, reference: str) -> Quantity:
    """Return the paired difference of two models."""
    return Quantity(DIFFERENCE, subject, reference, {subject: 1, reference: -1})


def list_quantities(models: pd.DataFrame, compare_arms: Mapping[str, str]) -> list[Quantity]:
    """List every quantity of a study but the overlaps, each once.

    Args:
        models: Output of ``list_models``.
        compare_arms: SFT arms, each with the one that it is held against; a study may lack some.
    """
    found = [
        Quantity(LEVEL, model, "", {model: 1}, shared=bool(shared))
        for model, shared in zip(models["model"], models["shared"], strict=True)
    ]
    found += _list_arms(models[models["kind"] == "sft"], compare_arms)
    for arm, tuned in models[models["sft_arm"] != ""].groupby("sft_arm", sort=False):
        base, end, max_ood = BASE, name_model(str(arm), END), name_model(str(arm), MAX_OOD)
        named = tuned[tuned["role"] != STEP_ROLE]
        found += [subtract(model, end) for model in named["model"] if model != end]
        found += [subtract(model, base) for model in named.loc[named["kind"] == "sft", "model"]]
        found += [subtract(base, end), subtract(end, max_ood)]
        rl, edits = named[named["kind"] == "rl"], named[named["kind"] == "edit"]
        found += _list_rl(str(arm), rl)
        donors = {MAX_OOD: max_ood, BASE: base}
        recovering = [(model, donors[donor]) for model, donor in zip(edits["model"], edits["donor"], strict=True)]
        recovering += [(model, max_ood) for model in rl.loc[rl["role"] == END, "model"]]
        found += [
            Quantity(RECOVERED, model, donor, {model: 1, end: -1}, {donor: 1, end: -1}, RECOVERED_BOUND)
            for model, donor in recovering
        ]
    return list({(one.name, one.subject, one.reference): one for one in found}.values())


def _list_arms(sft: pd.DataFrame, compare_arms: Mapping[str, str]) -> Iterator[Quantity]:
    """List how pairs of SFT arms compare: at the end, and where ID reached the same level."""
    names = {str(arm): set(own["role"]) for arm, own in sft.groupby("sft_arm", sort=False)}
    for arm, other in compare_arms.items():
        shared = names.get(arm, set()) & names.get(other, set())
        alike = [role for role in shared if role == END or is_id_level(role)]
        for role in sort_roles(alike):
            yield subtract(name_model(arm, role), name_model(other, role))


def _list_rl(sft_arm: str, rl: pd.DataFrame) -> Iterator[Quantity]:
    """List what RL from one SFT arm's checkpoints gained, kept, and how starts and arms compare."""
    max_ood = name_model(sft_arm, MAX_OOD)
    first = rl["arm"].iloc[0] if len(rl) else ""
    for arm, runs in rl.groupby("arm", sort=False):
        by_role = dict(zip(runs["role"], runs["model"], strict=True))
        for role, model in by_role.items():
            yield subtract(model, name_model(sft_arm, role))
            if role == END:
                yield subtract(model, max_ood)
            elif END in by_role:
                yield subtract(model, by_role[END])
                gain = {model: 1.0, name_model(sft_arm, role): -1.0}
                other = {by_role[END]: -1.0, name_model(sft_arm, END): 1.0}
                yield Quantity(GAIN_DIFFERENCE, model, by_role[END], gain | other)
            if MAX_OOD in by_role and role not in (MAX_OOD, END):
                yield subtract(by_role[MAX_OOD], model)
            rival = name_model(first, f"from {role}")
            if arm != first and rival in set(rl["model"]):
                yield subtract(model, rival)


def mark_overlaps(wide: pd.DataFrame, models: pd.DataFrame) -> tuple[pd.DataFrame, list[Quantity]]:
    """Mark who solved a hand before RL, and whether RL from End then solves it.

    Args:
        wide: Output of ``lay_out_hands``.
        models: Output of ``list_models``.

    Returns:
        Columns of 0 and 1 to lay beside ``wide``, and the quantities over them: the share that RL from End solves of
        the hands of each of ``OVERLAPS``.
    """
    columns: dict[str, pd.Series] = {}
    quantities = []
    for row in read_rows(models[(models["kind"] == "rl") & (models["role"] == END)]):
        names = {role: name_model(row["sft_arm"], role) for role in (MAX_OOD, END)}
        if names[MAX_OOD] not in wide:
            continue
        before = {role: wide[name] for role, name in names.items()}
        for overlap, (by_max_ood, by_end) in OVERLAPS.items():
            whole = ((before[MAX_OOD] == by_max_ood) & (before[END] == by_end)).astype(np.float64)
            all_of, solved = f"{overlap} ({row['sft_arm']})", f"{overlap} ({row['model']})"
            columns |= {all_of: whole, solved: whole * wide[row["model"]]}
            quantities.append(Quantity(SOLVED, row["model"], overlap, {solved: 1}, {all_of: 1}))
    return pd.DataFrame(columns, index=wide.index), quantities


def estimate_accuracy(wide: pd.DataFrame, quantities: Iterable[Quantity], bootstrap: Bootstrap) -> pd.DataFrame:
    """Estimate quantities on every split, over all replicates together and in each, hand by hand within one.

    Replicates, which the column ``seed`` tells apart, are the unit of what is estimated over them, see ``Resampled``.

    Args:
        wide: Output of ``lay_out_hands``, with the columns of ``mark_overlaps``.
        quantities: What to estimate, whose models are columns of ``wide``; a seed that lacks one does not count.
        bootstrap: Settings of the intervals, whose clusters are multisets.

    Returns:
        One row per quantity, split, group of hands and scope: ``quantity``, ``subject``, ``reference``, ``split``,
        ``hands`` (all, met or never met by the base; these two over all replicates only), ``scope``, ``estimate``,
        ``low``, ``high``, ``se_replicates``, ``se_hands``, ``bound`` and ``p_value``, ``rows`` (of a share: of its
        whole), ``clusters``, ``seeds``.
        Shares of a loss that may be nothing are left out; a share of hands then has no interval.
    """
    chosen = [one for one in quantities if one.models <= set(wide.columns)]
    rows = [row for where, hands in _each_scope(wide) for row in _estimate(hands, where, chosen, bootstrap)]
    return pd.DataFrame(rows)


def choose_bound(quantity: Quantity, split: str) -> float:
    """Return the bound fixed beforehand: a share's own, a point of ID that may be lost, or 0."""
    if quantity.bound is not None:
        return quantity.bound
    return -ID_TOLERANCE if quantity.name == DIFFERENCE and split in (ID_SEEN, ID_HELDOUT) else 0.0


def _each_scope(wide: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """Yield every split, group of hands and scope with its rows."""
    table = wide.reset_index()
    for split, hands in table.groupby("split"):
        for group, wanted in HAND_GROUPS.items():
            part = hands[hands["base_met_multiset"].isin(wanted)]
            scopes = {POOLED: part}
            if group == ALL_HANDS:
                scopes |= {f"{ALONE}{seed}": one for seed, one in part.groupby("seed")}
            for scope, rows in scopes.items():
                if len(rows):
                    yield {"split": str(split), "hands": group, "scope": scope}, rows


def _estimate(
    hands: pd.DataFrame, where: dict[str, str], quantities: list[Quantity], bootstrap: Bootstrap
) -> Iterator[dict[str, Any]]:
    """Estimate quantities in one scope, those that the same seeds have at once."""
    scored = hands.drop(columns=HAND).notna().groupby(hands["seed"]).any()
    present = {model: frozenset(scored.index[scored[model].to_numpy()]) for model in scored.columns}
    by_seeds: dict[frozenset[int], list[Quantity]] = {}
    for one in quantities:
        # Hands for choosing do nothing else.
        if where["split"].endswith(SELECT) and one.name != LEVEL:
            continue
        seeds = frozenset.intersection(*(present[model] for model in one.models))
        by_seeds.setdefault(frozenset(sorted(seeds)[:1]) if one.shared else seeds, []).append(one)
    for seeds, alike in by_seeds.items():
        if seeds:
            rows = hands[hands["seed"].isin(seeds)]
            facts = {"clusters": rows["multiset"].nunique(), "seeds": len(seeds)}
            yield from _estimate_together(rows, where, alike, bootstrap, facts)


def _estimate_together(
    rows: pd.DataFrame, where: dict[str, str], quantities: list[Quantity], bootstrap: Bootstrap, facts: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """Estimate quantities that the same seeds have: samples are as linear in the models as they are."""
    models = sorted({model for one in quantities for model in one.models})
    sample = take_sample(rows, models, "multiset")
    parts = _weigh(sample, models, [one.part for one in quantities])
    means = bootstrap.average(parts, shared=True)
    for one, mean in zip(quantities, means, strict=True):
        found: Resampled | None = mean
        bound, count = choose_bound(one, where["split"]), len(rows)
        if one.whole is not None:
            part, whole = _weigh(sample, models, [one.part]), _weigh(sample, models, [one.whole])
            found = bootstrap.divide(part, whole, shared=True)
            count = round(float(whole.sums.sum())) if one.name == SOLVED else count
            if found is None and one.name == SOLVED and count:
                share = part.sums.sum() / whole.sums.sum()
                yield _identify(one, where) | {"estimate": share, "bound": bound, "rows": count} | facts
        if found is not None:
            measured = found.describe(bootstrap.confidence, bound)
            if one.name in (LEVEL, SOLVED):
                measured |= {"low": max(0.0, measured["low"]), "high": min(1.0, measured["high"])}
            yield _identify(one, where) | measured | {"rows": count} | facts


def _weigh(sample: Sample, models: list[str], weights: list[Mapping[str, float]]) -> Sample:
    """Return the sample of weighted sums of models."""
    return sample.combine(np.array([[one.get(model, 0.0) for one in weights] for model in models]))


def _identify(quantity: Quantity, where: dict[str, str]) -> dict[str, str]:
    return {"quantity": quantity.name, "subject": quantity.subject, "reference": quantity.reference, **where}
