"""The paper's claims as statements that can be checked, and verdicts that count how many were checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pandas as pd

from card24_pipeline.evaluation.statistics import Interval
from card24_pipeline.reporting.published import PublishedFigure
from card24_pipeline.reporting.resampling import Resampled, resample_means, resample_share

CLAIMS = {
    # arXiv 2508.16546, in our words
    1: "OOD accuracy peaks early in SFT and then falls while ID does not; RL on ID hands brings much of it back",
    2: "Singular vectors turn, most at both ends of the spectrum; singular values hardly change",
    3: "Restoring the directions of the top 20 % or the first quarter of layers brings 70–80 % of the loss back",
    4: "Better in, better out: RL does more for a better SFT checkpoint, and over-fitted ones resist",
}

Unit = Literal["points", "share", "percent", "degrees"]


@dataclass(frozen=True)
class Statement:
    """One checkable statement: a quantity lies above, or below, a bound fixed before the study was run.

    Attributes:
        claim: Number of the claim that it belongs to, a key of ``CLAIMS``.
        key: Its name in files.
        text: What is claimed.
        unit: Of the quantity: ``points`` (difference of two pass@1), ``share`` (of a loss), ``percent`` (a relative
            change) or ``degrees``. All but degrees are kept as fractions.
        side: On which side of the bound the claim puts the quantity.
        bound: The bound, in the same unit.
        by_construction: Whether a model organism shows it because it was built to.
        published: What was published on it.
        published_note: The same where there is no count of hands to make an interval of.
    """

    claim: int
    key: str
    text: str
    unit: Unit = "points"
    side: Literal["above", "below"] = "above"
    bound: float = 0.0
    by_construction: bool = False
    published: Sequence[PublishedFigure] = ()
    published_note: str = ""


@dataclass(frozen=True)
class Evidence:
    """What the study measured on a statement.

    Attributes:
        statement: The statement.
        measured: The quantity and its bootstrap draws; None where it could not be measured.
        cluster: What the draws resample: ``multiset`` or ``matrix``.
        clusters: How many of these there are.
        by_seed: The quantity of each seed alone; None where a share has no loss to be taken of.
        note: Why it was not measured, or why it decides nothing.
        decides: False where runs behind it do not count.
    """

    statement: Statement
    measured: Resampled | None = None
    cluster: Literal["multiset", "matrix"] = "multiset"
    clusters: int = 0
    by_seed: Mapping[int, float | None] = field(default_factory=dict)
    note: str = ""
    decides: bool = True


@dataclass(frozen=True)
class EvidenceBuilder:
    """Measures statements by the bootstrap of :mod:`card24_pipeline.reporting.resampling`."""

    resamples: int
    seed: int
    cluster: Literal["multiset", "matrix"] = "multiset"

    def take_mean(self, statement: Statement, table: pd.DataFrame, *, note: str = "", decides: bool = True) -> Evidence:
        """Measure the mean of a table's column ``value``; its column ``multiset`` names the clusters."""
        evidence = self._take(statement, table, lambda rows, resamples: self._means(rows, ["value"], resamples)[0])
        return evidence if evidence.measured is None else replace(evidence, note=note, decides=decides)

    def take_least_mean(self, statement: Statement, table: pd.DataFrame, columns: Sequence[str]) -> Evidence:
        """Measure the least of several columns' means, as a claim that is made of all of them needs it."""

        def measure(rows: pd.DataFrame, resamples: int) -> Resampled:
            means = self._means(rows, columns, resamples)
            draws = means[0].draws
            for mean in means[1:]:
                draws = draws.clip(max=mean.draws)
            return Resampled(min(mean.estimate for mean in means), draws)

        return self._take(statement, table, measure)

    def take_share(self, statement: Statement, table: pd.DataFrame, *, confidence: float) -> Evidence:
        """Measure mean ``gain`` as a share of mean ``loss``, unless the interval of the loss holds 0."""
        if table.empty or self._means(table, ["loss"], self.resamples)[0].interval(confidence).low <= 0:
            return Evidence(statement, note="not given, for the loss itself is in doubt")

        def measure(rows: pd.DataFrame, resamples: int) -> Resampled:
            return resample_share(rows, "gain", "loss", resamples=resamples, seed=self.seed)

        return self._take(statement, table, measure)

    def _take(
        self, statement: Statement, table: pd.DataFrame, measure: Callable[[pd.DataFrame, int], Resampled]
    ) -> Evidence:
        if table.empty:
            return Evidence(statement, cluster=self.cluster, note="not measured")
        seeds = sorted(table["seed"].unique().tolist())
        alone = {seed: measure(table[table["seed"] == seed], 1).estimate for seed in seeds}
        by_seed = {seed: None if math.isnan(estimate) else estimate for seed, estimate in alone.items()}
        measured = measure(table, self.resamples)
        return Evidence(statement, measured, self.cluster, table["multiset"].nunique(), by_seed)

    def _means(self, rows: pd.DataFrame, columns: Sequence[str], resamples: int) -> list[Resampled]:
        return resample_means(rows, columns, resamples=resamples, seed=self.seed)


def judge_claims(evidence: Sequence[Evidence], *, confidence: float) -> list[dict[str, Any]]:
    """Judge statements, those of one claim together, by Holm's step-down procedure (Holm 1979, Scand. J. Stat. 6).

    The statements of a claim are ordered by their p-value for the bound. The k-th of m (from 0) gets an interval of
    level 1 − α/(m − k), and is decided only if the ones before it are: so the chance that any verdict of a claim is
    on the wrong side is at most α.

    Args:
        evidence: What was measured, in the order of the table.
        confidence: Level 1 − α of a claim as a whole.

    Returns:
        One record per statement: its own fields; ``estimate``, ``low``, ``high`` at ``level``, ``p_value`` and
        ``p_holm`` (None where nothing was measured); ``cluster``, ``clusters``, ``seeds``, ``by_seed``, ``note``;
        ``published``; and the ``verdict``: *holds* if the whole interval lies on the claimed side, *does not hold* if
        it lies on the other, else *undecided*.
    """
    adjusted: dict[str, tuple[float, float, float]] = {}
    for claim in CLAIMS:
        adjusted |= _adjust([each for each in evidence if each.statement.claim == claim], confidence)
    return [_judge(each, adjusted.get(each.statement.key), confidence) for each in evidence]


def _adjust(evidence: Sequence[Evidence], confidence: float) -> dict[str, tuple[float, float, float]]:
    """Return level, p-value and adjusted p-value of each measured statement of one claim."""
    p_values = {
        each.statement.key: each.measured.p_value(each.statement.bound)
        for each in evidence
        if each.measured is not None
    }
    adjusted, highest = {}, 0.0
    for place, (key, p_value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        left = len(p_values) - place
        highest = max(highest, min(1.0, left * p_value))
        adjusted[key] = 1 - (1 - confidence) / left, p_value, highest
    return adjusted


def _judge(evidence: Evidence, adjusted: tuple[float, float, float] | None, confidence: float) -> dict[str, Any]:
    """Write the record of one statement."""
    statement = evidence.statement
    level, p_value, p_holm = adjusted or (None, None, None)
    interval = evidence.measured.interval(level) if evidence.measured is not None and level is not None else None
    verdict = "undecided"
    if interval is not None and p_holm is not None and p_holm < 1 - confidence and evidence.decides:
        verdict = _place(interval, statement)
    return {
        "claim": statement.claim,
        "key": statement.key,
        "text": statement.text,
        "unit": statement.unit,
        "side": statement.side,
        "bound": statement.bound,
        "by_construction": statement.by_construction,
        "estimate": None if interval is None else interval.estimate,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "level": level,
        "p_value": p_value,
        "p_holm": p_holm,
        "cluster": evidence.cluster,
        "clusters": evidence.clusters,
        "seeds": len(evidence.by_seed),
        "by_seed": {str(seed): estimate for seed, estimate in evidence.by_seed.items()},
        "verdict": verdict,
        "note": evidence.note,
        "published": [figure.describe() for figure in statement.published],
        "published_note": statement.published_note,
    }


def _place(interval: Interval, statement: Statement) -> str:
    """Say on which side of the bound the whole interval lies."""
    above, below = interval.low > statement.bound, interval.high < statement.bound
    if not above and not below:
        return "undecided"
    return "holds" if above == (statement.side == "above") else "does not hold"
