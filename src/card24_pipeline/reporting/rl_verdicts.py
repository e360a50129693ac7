"""Verdicts on reinforcement learning (RL): which claims hold, on which numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from card24_pipeline.reporting.rl_contrasts import (
    ANCHORED,
    ARMS,
    PLAIN,
    Contrast,
    contrast_after,
    contrast_arms,
    contrast_before,
    contrast_gain,
    contrast_gains,
    contrast_keeping,
)
from card24_pipeline.reporting.rl_shares import name_gain_share
from card24_pipeline.reporting.tables import format_points, judge_sign, name_role, read_rows


@dataclass(frozen=True)
class Claim:
    """A claim that one contrast has a sign, on one split and acquaintance."""

    text: str
    contrast: Contrast
    split: str = "ood"
    met: str = "all"
    sign: int = 1


class Judge:
    """Judges claims on the pooled contrasts, and knows which runs do not count."""

    def __init__(self, contrasts: pd.DataFrame, runs: pd.DataFrame) -> None:
        """Take the outputs of ``RlContrastBuilder.contrast_models`` and ``summarise_runs``."""
        pooled = contrasts[contrasts["scope"] == "all seeds"]
        self._rows: dict[Any, Any] = pooled.set_index(["split", "base_met_multiset", "contrast"]).to_dict("index")
        self._counts: dict[tuple[str, str], list[bool]] = {}
        for run in read_rows(runs):
            self._counts.setdefault((run["arm"], run["role"]), []).append(bool(run["counts"]))
        self._seeds = runs["seed"].nunique()

    def find(self, contrast: Contrast, split: str = "ood", met: str = "all") -> Mapping[str, Any] | None:
        """Return the pooled row of a contrast, or None where there is none."""
        return self._rows.get((split, met, contrast.name))

    def find_share(self, name: str) -> Mapping[str, Any] | None:
        """Return the pooled row on OOD of this name, or None where there is none."""
        return self._rows.get(("ood", "all", name))

    def decide(self, claim: Claim) -> str:
        """Return the verdict; no claim is decided by runs that do not count."""
        row = self.find(claim.contrast, claim.split, claim.met)
        if row is None or not all(self._read_counts(claim.contrast)):
            return "undecided"
        return judge_sign(float(row["low"]), float(row["high"]), claim.sign)

    def tell(self, claim: Claim) -> str:
        """Write the claim's line of the list: verdict, number, and what the number lacks."""
        row = self.find(claim.contrast, claim.split, claim.met)
        if row is None:
            return f"- {claim.text}: **undecided** (not measured)"
        return f"- {claim.text}: **{self.decide(claim)}** ({format_points(row)}{self.remark(claim.contrast, row)})"

    def remark(self, contrast: Contrast, row: Mapping[str, Any]) -> str:
        """Say which of the seeds and of the runs behind a number do not count, if any."""
        counts = self._read_counts(contrast)
        idle = counts.count(False)
        remarks = [f"{row['seeds']} of {self._seeds} seeds"] if row["seeds"] < self._seeds else []
        if idle:
            which = (
                "its runs do"
                if idle == len(counts)
                else f"{idle} of its {len(counts)} runs {'does' if idle == 1 else 'do'}"
            )
            remarks.append(f"{which} not count")
        return "".join(f"; {remark}" for remark in remarks)

    def _read_counts(self, contrast: Contrast) -> list[bool]:
        return [counts for run in contrast.runs for counts in self._counts.get(run, [False])]


def name_anchor(kind: str) -> str:
    """Write the anchor of a KL penalty, by its name in the parameters, as it stands in a sentence."""
    return {"max_ood": "MaxOOD", "base": "the base", "start": "its start"}[kind]


def claim_healing(rungs: list[str]) -> list[Claim]:
    """List what is claimed of RL without an anchor, from End and from these rungs."""
    from_end = contrast_gain(PLAIN, "end")
    return [
        Claim("RL on ID hands raises OOD from End", from_end),
        Claim("… on multisets that the base had met", from_end, met="met"),
        Claim("… on multisets that it had never met", from_end, met="never_met"),
        *(Claim(f"… from {name_role(rung)}", contrast_gain(PLAIN, rung)) for rung in rungs),
        Claim("RL raises ID (multisets of SFT) from End", from_end, split="id_seen"),
        Claim("RL raises ID (held out) from End", from_end, split="id_heldout"),
        *_claim_keeping("RL", PLAIN),
    ]


def claim_order(rungs: list[str]) -> list[Claim]:
    """List what is claimed of starts against each other."""
    claims = [
        Claim(f"RL gains less OOD from End than from {name_role(rung)}", contrast_gains(PLAIN, rung, "end"))
        for rung in rungs
    ]
    for role in ("max_ood", *rungs):
        claims += [
            Claim(f"{name_role(role)} is above End on OOD after RL", contrast_after(PLAIN, role, "end")),
            Claim("… before RL", contrast_before(role, "end")),
        ]
    return claims


def claim_anchor(others: list[str], anchor: str) -> list[Claim]:
    """List what is claimed of the anchor so named, from End and from the other roles that it was run from."""
    ahead, gain = contrast_arms("end"), contrast_gain(ANCHORED, "end")
    return [
        Claim(f"With the KL held to {anchor}, OOD after RL from End is higher than without", ahead),
        *(Claim(f"… from {name_role(role)}", contrast_arms(role)) for role in others),
        Claim("Anchored RL raises OOD from End", gain),
        *(Claim(f"… from {name_role(role)}", contrast_gain(ANCHORED, role)) for role in others),
        Claim("Anchored RL raises ID (multisets of SFT) from End", gain, split="id_seen"),
        Claim("Anchored RL raises ID (held out) from End", gain, split="id_heldout"),
        Claim("The anchor costs ID (multisets of SFT) from End", ahead, split="id_seen", sign=-1),
        Claim("The anchor costs ID (held out) from End", ahead, split="id_heldout", sign=-1),
        *_claim_keeping("Anchored RL", ANCHORED),
    ]


def _claim_keeping(subject: str, arm: str) -> list[Claim]:
    kept = contrast_keeping(arm)
    return [
        Claim(f"{subject} from End beats simply keeping MaxOOD, on OOD", kept),
        Claim("… on ID (multisets of SFT)", kept, split="id_seen"),
        Claim("… on ID (held out)", kept, split="id_heldout"),
    ]


def tell_gain_share(judge: Judge) -> str:
    """Say what each arm gains on OOD from End as a share of the loss between MaxOOD and End."""
    told = []
    for arm in ARMS:
        contrast = contrast_gain(arm, "end")
        share = judge.find_share(name_gain_share(arm))
        if share is None:
            continue
        text = "not given, for the loss itself is in doubt"
        if not math.isnan(share["difference"]):
            low, high = (f"{share[name]:z.0%}" for name in ("low", "high"))
            text = f"{share['difference']:z.0%} ({low} to {high}{judge.remark(contrast, share)})"
        told.append(f"{arm} RL {text}")
    return f"Gain on OOD from End as a share of the loss from MaxOOD to End: {'; '.join(told) or 'not measured'}."


def tell_what_heals(judge: Judge) -> str:
    """Draw the verdicts on OOD from End together: the reward alone, with the anchor, both, neither or undecided."""
    plain, anchored, ahead = (
        judge.decide(Claim("", contrast))
        for contrast in (contrast_gain(PLAIN, "end"), contrast_gain(ANCHORED, "end"), contrast_arms("end"))
    )
    by_reward = plain == "holds"
    with_anchor = anchored == "holds" and ahead == "holds"
    if by_reward or with_anchor:
        found = "both" if by_reward and with_anchor else "the reward alone" if by_reward else "reward with anchor"
    else:
        found = "neither" if plain == anchored == "does not hold" else "undecided"
    sentence = (
        f"What raises OOD from End: **{found}**. That the reward alone does: {plain}; that reward with anchor does: "
        f"{anchored}; that it does so by more than the reward alone: {ahead}. No arm has the anchor without the "
        "reward, so the anchor's own part is not separated from its working together with the reward."
    )
    if plain == "does not hold":
        sentence += " Under the reward alone, OOD went on falling."
    if by_reward and ahead == "does not hold":
        sentence += " The anchor takes away from what the reward alone gains."
    return sentence
