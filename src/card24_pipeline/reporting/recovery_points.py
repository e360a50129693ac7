"""How much of the lost OOD accuracy each edit recovers, and what it leaves of ID, with intervals over multisets."""

from __future__ import annotations

from functools import partial

import pandas as pd

from card24_pipeline.evaluation.statistics import Interval
from card24_pipeline.reporting.recovery_choices import UV_MERGE, pick_best, select_families
from card24_pipeline.reporting.recovery_models import END, MAX_OOD, SPLITS
from card24_pipeline.reporting.resampling import UNKNOWN, bootstrap_over_multisets, bootstrap_share, each_set_of_seeds
from card24_pipeline.reporting.tables import read_rows

COMPARED = ("ood", "id_seen")
ACQUAINTANCE = {
    # ending of the column: whether the base had met the multiset
    "": (True, False),
    "_met": (True,),
    "_never_met": (False,),
}


class RecoveryBuilder:
    """Turns graded hands of edited checkpoints into points and leads; holds the bootstrap's settings."""

    def __init__(self, *, resamples: int, confidence: float, seed: int) -> None:
        """Set the number of bootstrap draws, the two-sided level and the seed of the draws."""
        self._bootstrap = partial(bootstrap_over_multisets, resamples=resamples, confidence=confidence, seed=seed)
        self._bootstrap_share = partial(bootstrap_share, resamples=resamples, confidence=confidence, seed=seed)

    def trace_points(self, models: pd.DataFrame, listing: pd.DataFrame) -> pd.DataFrame:
        """Measure every model on every split, pooled over the seeds that have it and hand by hand within a seed.

        Args:
            models: Output of ``lay_out_recovery``.
            listing: Output of ``list_models``.

        Returns:
            The rows of ``listing`` with these figures, each beside its ``…_low`` and ``…_high``:

            - ``<split>_pass_at_1``, greedy, for each of ``SPLITS``;
            - ``<split>_difference`` to End, for each of ``COMPARED``;
            - ``recovered_share``: (OOD − OOD of End) / (OOD of the donor − OOD of End) on ``ood``, 1 being the whole;
              ``recovered_share_met`` and ``recovered_share_never_met`` by whether the base had met the multiset. A
              model without a donor is held to MaxOOD. NaN unless the interval of what was lost lies above 0.

            Then ``seeds``, the number that have the model, and ``multisets`` of ``ood``.
        """
        found: dict[str, dict[str, float]] = {name: {} for name in listing["variant"]}
        for split in SPLITS:
            for names, hands in each_set_of_seeds(models[models["split"] == split], list(found)):
                passes = self._bootstrap(hands, names)
                changes = self._bootstrap(hands.assign(**{name: hands[name] - hands[END] for name in names}), names)
                for name, level, change in zip(names, passes, changes, strict=True):
                    found[name] |= _spread(f"{split}_pass_at_1", level)
                    found[name] |= _spread(f"{split}_difference", change) if split in COMPARED else {}
        ood = models[models["split"] == "ood"]
        for row in read_rows(listing):
            name, hands = row["variant"], ood[ood[row["variant"]].notna()]
            for ending, wanted in ACQUAINTANCE.items():
                group = hands[hands["base_met_multiset"].isin(wanted)]
                share = self._measure_share(group, name, row["donor"] or MAX_OOD)
                found[name] |= _spread(f"recovered_share{ending}", share)
            found[name] |= {"seeds": hands["seed"].nunique(), "multisets": hands["multiset"].nunique()}
        return pd.concat([listing, pd.DataFrame(found.values())], axis="columns")

    def measure_leads(self, models: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
        """Pair the best UV-merge with the choice of every family, on ``ood`` and over the seeds that have both.

        Args:
            models: Output of ``lay_out_recovery``.
            chosen: Output of ``choose_knobs``.

        Returns:
            ``chosen`` with ``uv_merge``, the variant of ``UV_MERGE`` that is best on ``ood_select`` among those
            chosen ("" without one), its paired ``uv_merge_lead`` in pass@1 over the family's choice with ``…_low``
            and ``…_high`` (NaN without both), and the number of ``uv_merge_lead_seeds``.
        """
        best = pick_best(select_families(chosen, UV_MERGE))
        uv_merge = best["chosen_variant"] if best else ""
        ood = models[models["split"] == "ood"]
        rows = []
        for variant in chosen["chosen_variant"]:
            interval, seeds = UNKNOWN, 0
            if uv_merge and variant:
                hands = ood.assign(lead=ood[uv_merge] - ood[variant]).dropna(subset=["lead"])
                if len(hands):
                    (interval,), seeds = self._bootstrap(hands, ["lead"]), hands["seed"].nunique()
            rows.append({"uv_merge": uv_merge, **_spread("uv_merge_lead", interval), "uv_merge_lead_seeds": seeds})
        return pd.concat([chosen, pd.DataFrame(rows)], axis="columns")

    def _measure_share(self, hands: pd.DataFrame, name: str, donor: str) -> Interval:
        """Return the gain on End as a share of what End lost to the donor, NaN without hands."""
        if hands.empty:
            return UNKNOWN
        table = hands[["multiset"]].assign(gain=hands[name] - hands[END], loss=hands[donor] - hands[END])
        return self._bootstrap_share(table, "gain", "loss")


def _spread(column: str, interval: Interval) -> dict[str, float]:
    return {column: interval.estimate, f"{column}_low": interval.low, f"{column}_high": interval.high}
