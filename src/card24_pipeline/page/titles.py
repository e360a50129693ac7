"""How edits and numbers are written in tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from card24_pipeline.edits.registry import list_names, load_method
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.study.vocabulary import title_role


def title_family(row: Mapping[Any, Any], findings: Findings) -> str:
    """Write the family of an edit: method, donor, and what it chooses otherwise than usual."""
    edits = findings.models[(findings.models["kind"] == "edit") & (findings.models["sft_arm"] == row["sft_arm"])]
    several = edits["arm"].nunique() > 1
    choices = [
        load_method(row["method"]).title,
        title_role(row["donor"]),
        "σ too" if row["sigma"] == "donor" else "",
        f"{row['matrices']} only" if row["matrices"] and "," not in row["matrices"] else "",
        "embeddings too" if row["embeddings"] else "",
        "" if row["sft_arm"] == findings.sft_arm else f"SFT {row['sft_arm']}",
        f"edits {row['arm']}" if several else "",
    ]
    return ", ".join(filter(None, choices))


def title_control(kind: str) -> str:
    """Write a kind of control: a method of editing, an RL arm or a role."""
    return load_method(kind).title if kind in list_names() else title_role(kind)


def describe_knob(row: Mapping[Any, Any]) -> str:
    """Write a variant's knob with its name; empty where it has none."""
    return f"{row['knob_name'].replace('_', ' ')} {row['knob']:g}" if row["knob_name"] else ""


def title_arm(arm: str, findings: Findings) -> str:
    """Write the name of an SFT arm with what is to know of it."""
    note = findings.arm_notes.get(arm)
    return f"{arm} ({note})" if note else arm


def describe_basis(replicates: int, *, conditional: bool) -> str:
    """Say what intervals cover: other replicates, or one base only."""
    if replicates == 1:
        return (
            "One replicate: everything is conditional on this base and this seed. Intervals resample hands (matrices "
            "where weights are concerned) and cover neither another base nor another seed."
        )
    given = ", conditional on this base" if conditional else ", each with a base of its own"
    covered = "another seed" if conditional else "another base, another seed"
    return (
        f"The replicate is the unit: intervals rest on {replicates} replicates{given}. Their standard error² adds the "
        "spread between hands, which replicates share, to that between replicates. Both count how replicates differ on "
        "single hands, which errs on the wide side. Student's quantiles are those of the replicates and of the hands "
        f"in proportion (Cochran & Cox). Intervals cover {covered} and other hands. Of weights, the mean over a "
        "replicate's matrices is its value."
    )
