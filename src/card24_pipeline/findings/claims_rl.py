"""Statements on reinforcement learning: claims 1 and 4."""

from __future__ import annotations

from card24_pipeline.findings.accuracy import GAIN_DIFFERENCE
from card24_pipeline.findings.lookup import Findings, Found
from card24_pipeline.findings.models import name_model
from card24_pipeline.findings.published import END_STEPS, LLAMA, MAX_OOD_STEPS, Comparison
from card24_pipeline.findings.statements import statement
from card24_pipeline.study.vocabulary import END, MAX_OOD, MIDDLE

NO_PLACEBO = "without a placebo: a lower learning rate alone may do the same"
UNEQUAL_ID = "compared at unequal ID"


def measure_gain(findings: Findings, role: str) -> Found:
    """Look up what RL added on OOD to the checkpoint of a role."""
    run = findings.name_run(role)
    return findings.difference(run, name_model(findings.sft_arm, role), runs=(run,))


def compare_gains(findings: Findings, role: str) -> Found:
    """Look up by how much RL from a role gains more OOD than RL from End."""
    run, end = findings.name_run(role), findings.name_run(END)
    return findings.measure(GAIN_DIFFERENCE, run, end, split=findings.ood, runs=(run, end))


def compare_after(findings: Findings, role: str) -> Found:
    """Look up by how much RL from a role ends above RL from End on OOD."""
    run, end = findings.name_run(role), findings.name_run(END)
    return findings.difference(run, end, runs=(run, end))


@statement(
    1,
    why_exploratory=NO_PLACEBO,
    published=[Comparison(LLAMA, ("rl", step), ("sft", step), f"RL − SFT at step {step}") for step in (500, 700, 900)],
)
def rl_from_middle_raises_ood(findings: Findings) -> Found:
    """RL from the middle of the ladder raises OOD"""
    return measure_gain(findings, MIDDLE)


@statement(
    1,
    why_exploratory=NO_PLACEBO,
    published=[Comparison(model, ("rl", step), ("sft_end", step), "RL − End") for model, step in END_STEPS.items()],
)
def rl_from_end_raises_ood(findings: Findings) -> Found:
    """RL from End raises OOD"""
    return measure_gain(findings, END)


@statement(1, why_exploratory=NO_PLACEBO)
def rl_raises_less_from_end(findings: Findings) -> Found:
    """RL raises OOD less from End than from the middle of the ladder"""
    return compare_gains(findings, MIDDLE)


@statement(
    4,
    why_exploratory=UNEQUAL_ID,
    published=[
        Comparison(LLAMA, ("rl", MAX_OOD_STEPS[LLAMA]), ("rl", END_STEPS[LLAMA]), "after RL, step 140 − 1100"),
    ],
)
def max_ood_stays_ahead(findings: Findings) -> Found:
    """After RL, the model that started from MaxOOD is above the one from End on OOD"""
    return compare_after(findings, MAX_OOD)


@statement(4, why_exploratory=UNEQUAL_ID)
def middle_stays_ahead(findings: Findings) -> Found:
    """… so are those from the middle of the ladder"""
    return compare_after(findings, MIDDLE)


@statement(4, why_exploratory=NO_PLACEBO)
def rl_adds_more_to_max_ood(findings: Findings) -> Found:
    """RL adds more OOD to MaxOOD than to End"""
    return compare_gains(findings, MAX_OOD)
