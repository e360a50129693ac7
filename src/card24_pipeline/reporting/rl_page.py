"""The report on reinforcement learning (RL) as one Markdown page."""

from __future__ import annotations

import math

import pandas as pd

from card24_pipeline.reporting.rl_contrasts import ANCHORED, ARMS, contrast_gain, sort_roles
from card24_pipeline.reporting.rl_runs import MIN_HANDS_PER_UPDATE, MIN_UPDATES, REWARD_WINDOW, SPLIT_TITLES
from card24_pipeline.reporting.rl_shares import OVERLAPS, list_shares, name_overlap
from card24_pipeline.reporting.rl_verdicts import (
    Judge,
    claim_anchor,
    claim_healing,
    claim_order,
    name_anchor,
    tell_gain_share,
    tell_what_heals,
)
from card24_pipeline.reporting.tables import format_points, name_role, read_rows, to_markdown

HOW_TO_READ = (
    "**How to read this.** Every difference is taken hand by hand within a seed, in greedy pass@1. Intervals resample "
    "multisets and are conditional on this one base model and on the seeds shown: they do not cover how another seed "
    "of SFT or RL would have come out, for which the rows of single seeds stand, and they are not corrected for how "
    "many there are. *Holds* means that the whole interval is on the claimed side, *does not hold* that it is on the "
    "other; all else is *undecided*. MaxOOD is chosen on `ood_select`, whose multisets are none of those that `ood` "
    "holds. Settings of RL that were chosen by trial were chosen on other seeds and on `ood_select`, that is for OOD "
    "after RL: see `tuning/README.md` of the default study. RL is on ID hands of the multisets of SFT, without a KL "
    "penalty (*plain*) or with one that holds the policy to {anchor} (*anchored*). Most `id_seen` hands were "
    "themselves dealt in SFT and in RL, so that column is accuracy on practised hands; held-out ID hands are those "
    "that neither saw. The gain as a share of the loss is the mean gain over the mean loss of the same hands, be they "
    "those that were lost or others; its interval takes the ratio in every draw, and none is given unless the loss's "
    "own interval lies above 0."
)
OVERLAP_TITLES = {
    "solved by max_ood only": "lost: solved by MaxOOD, not by End",
    "solved by neither": "solved by neither",
    "solved by both": "solved by both",
    "solved by end only": "solved by End only",
}


def write_rl_report(contrasts: pd.DataFrame, runs: pd.DataFrame, *, confidence: float, anchor: str) -> str:
    """Write the report on RL.

    Args:
        contrasts: Output of ``RlContrastBuilder.contrast_models``.
        runs: Output of ``summarise_runs``.
        confidence: Level of all intervals.
        anchor: What the anchored arm is held to, by its name in the parameters.

    Returns:
        Markdown that shows ``rl_gains.png`` and ``rl_training.png`` from its own folder.
    """
    level = f"{confidence:.0%}"
    judge = Judge(contrasts, runs)
    rungs = [role for role in sort_roles(runs["role"]) if role.startswith("rung")]
    anchored = sort_roles(runs[runs["arm"] == ANCHORED]["role"])
    held_to = name_anchor(anchor)
    parts = [
        "# What reinforcement learning on ID hands does to the OOD rule",
        _tell_which_count(runs),
        f"## Does RL bring OOD back? ({level} intervals)",
        "\n".join(judge.tell(claim) for claim in claim_healing(rungs)),
        tell_gain_share(judge),
        _table_of_overlaps(judge),
        "## Does a stronger start stay stronger?",
        "\n".join(judge.tell(claim) for claim in claim_order(rungs)),
        "## What does the anchor do?",
        "\n".join(judge.tell(claim) for claim in claim_anchor([role for role in anchored if role != "end"], held_to)),
        *(
            ["The anchor, MaxOOD, is itself chosen on `ood_select`, that is for its OOD."]
            if anchor == "max_ood"
            else []
        ),
        f"## Reward or anchor?\n\n{tell_what_heals(judge)}",
        "![pass@1 before and after RL against SFT step](rl_gains.png)",
        "Bars are the interval of the paired difference, laid upon pass@1 before RL; small markers are single seeds.",
        f"## Before → after RL, all seeds ({level} intervals of the difference)",
        _table_of_starts(judge, runs),
        f"## Contrasts on OOD, seed by seed ({level} intervals)",
        _table_of_contrasts(contrasts),
        "## Every seed",
        _table_of_seeds(runs),
        "## The runs",
        _table_of_runs(runs),
        _tell_explained_variance(runs),
        "![Reward, success, entropy and KL from the start by update](rl_training.png)",
        HOW_TO_READ.format(anchor=held_to),
    ]
    return "\n\n".join(parts) + "\n"


def _tell_which_count(runs: pd.DataFrame) -> str:
    """Say how many runs count, by which rule, and name those that do not."""
    distinct = runs.drop_duplicates(["seed", "arm", "from_step"])
    idle = distinct[~distinct["counts"].astype(bool)]
    lines = [
        f"**Which runs count.** A run counts if it made at least {MIN_UPDATES} updates of at least "
        f"{MIN_HANDS_PER_UPDATE} sampled answers (episodes, where a hand may be tried several times) and its reward "
        f"on ID hands rose: the mean of the last {REWARD_WINDOW} updates lies above that of the first "
        f"{REWARD_WINDOW}. This looks at how training came out, and a strong anchor can itself keep the reward from "
        "rising: verdicts that rest on a run that does not count stay *undecided*, with their numbers shown. Of "
        f"{len(distinct)} runs {len(distinct) - len(idle)} count."
    ]
    if len(idle):
        lines[0] += " Not counted:\n"
    lines += [
        f"- {run['arm']} from {name_role(run['role'])} (step {run['from_step']}), seed {run['seed']}: "
        f"{run['updates']} updates of {run['hands_per_update']} sampled answers, reward {run['reward_first']:+.2f} → "
        f"{run['reward_last']:+.2f}"
        for run in read_rows(idle)
    ]
    return "\n".join(lines)


def _table_of_overlaps(judge: Judge) -> str:
    """Tabulate which OOD hands RL from End solves, by who solved them before."""
    rows = []
    for arm in ARMS:
        found = {each: judge.find_share(name_overlap(arm, each)) for each in OVERLAPS}
        cells = {
            OVERLAP_TITLES[each]: "–"
            if row is None
            else _format_count(row["difference"], row["low"], row["high"], row["hands"])
            for each, row in found.items()
        }
        lost = found["solved by max_ood only"]
        if lost is not None:
            rows.append({"RL": f"{arm}{judge.remark(contrast_gain(arm, 'end'), lost)}"} | cells)
    if not rows:
        return "Which hands RL from End solves: not measured."
    note = (
        "A gain need not be on the hands that were lost. OOD hands that RL from End solves, by who solved them before:"
    )
    return f"{note}\n\n{to_markdown(pd.DataFrame(rows))}"


def _table_of_starts(judge: Judge, runs: pd.DataFrame) -> str:
    """Tabulate pass@1 before and after RL by start and arm, pooled over seeds."""
    rows = []
    for role in sort_roles(runs["role"]):
        for arm in ARMS:
            chosen = runs[(runs["role"] == role) & (runs["arm"] == arm)]
            if chosen.empty:
                continue
            steps = ", ".join(str(step) for step in sorted(chosen["from_step"].unique()))
            cells = {}
            for split, label in SPLIT_TITLES.items():
                change = judge.find(contrast_gain(arm, role), split)
                passes = _format_move(chosen[f"{split}_before"].mean(), chosen[f"{split}_after"].mean())
                cells[label] = f"{passes}: {format_points(change)}" if change else "–"
            rows.append({"start": name_role(role), "SFT step": steps, "RL": arm, **cells})
    return "Percent.\n\n" + to_markdown(pd.DataFrame(rows))


def _table_of_contrasts(contrasts: pd.DataFrame) -> str:
    """Tabulate the differences on OOD, a column for all seeds and for each."""
    chosen = contrasts[(contrasts["split"] == "ood") & (contrasts["base_met_multiset"] == "all")]
    by_key = {(row["contrast"], row["scope"]): row for row in read_rows(chosen)}
    scopes = list(dict.fromkeys(chosen["scope"]))
    shares = list_shares(ARMS)
    rows = [
        {"contrast": name}
        | {scope: format_points(by_key[name, scope]) if (name, scope) in by_key else "–" for scope in scopes}
        for name in dict.fromkeys(chosen["contrast"])
        if name not in shares
    ]
    return to_markdown(pd.DataFrame(rows))


def _table_of_seeds(runs: pd.DataFrame) -> str:
    """Tabulate pass@1 before and after RL, and the distance from the base, for every run."""
    rows = [
        {"seed": run["seed"], "RL": run["arm"], "start": name_role(run["role"]), "SFT step": run["from_step"]}
        | {label: _format_move(run[f"{split}_before"], run[f"{split}_after"]) for split, label in SPLIT_TITLES.items()}
        | {
            "OOD card→number": f"{100 * run['ood_card_to_number']:.1f}",
            "KL(base‖model) on ID answers (nats/token)": f"{run['kl_base_nats']:.3f}",
        }
        for run in read_rows(runs)
    ]
    return "Percent, before → after RL; the last two columns are after RL.\n\n" + to_markdown(pd.DataFrame(rows))


def _table_of_runs(runs: pd.DataFrame) -> str:
    """Tabulate how each run went."""
    rows = [
        {
            "seed": run["seed"],
            "RL": run["arm"],
            "start": name_role(run["role"]),
            "updates × answers": f"{run['updates']} × {run['hands_per_update']}",
            "reward": f"{run['reward_first']:+.2f} → {run['reward_last']:+.2f}",
            "counts": "yes" if run["counts"] else "no",
            "entropy (nats/token)": " → ".join(
                _format_figure(run[f"entropy_{when}_nats"]) for when in ("first", "last")
            ),
            "KL from start (nats/token)": _format_figure(run["kl_start_nats"]),
            "KL to anchor (nats/token)": _format_figure(run["kl_anchor_nats"]),
            "explained variance": _format_figure(run["explained_variance"]),
            "clip fraction": _format_figure(run["clip_fraction"], digits=5),
        }
        for run in read_rows(runs)
    ]
    note = (
        f"Reward is the mean of the first and of the last {REWARD_WINDOW} updates; explained variance (of the critic) "
        f"and clip fraction are means of the last {REWARD_WINDOW}. Entropy is that of the first and the last update. "
        "KL from the start is taken before the last update's steps, on its first micro-batch; KL to the anchor over "
        "the last update's steps."
    )
    return f"{note}\n\n{to_markdown(pd.DataFrame(rows))}"


def _tell_explained_variance(runs: pd.DataFrame) -> str:
    """Say how much of the returns' variance the critics of the runs explained, and what a value near 0 means."""
    explained = runs["explained_variance"].dropna()
    if explained.empty:
        return "No run has a critic's explained variance."
    return (
        f"Explained variance over the runs is {explained.min():.3f} to {explained.max():.3f}. A value near 0 means "
        "that the critic explained hardly anything, and that advantages were in effect returns against a batch mean."
    )


def _format_move(before: float, after: float) -> str:
    return f"{100 * before:.1f} → {100 * after:.1f}"


def _format_count(share: float, low: float, high: float, hands: int) -> str:
    """Write a share of hands as "n of m", with its interval where it has one."""
    if not hands:
        return "0 of 0"
    interval = "" if math.isnan(low) else f" ({low:z.0%} to {high:z.0%})"
    return f"{round(share * hands)} of {hands}: {share:z.0%}{interval}"


def _format_figure(value: float, digits: int = 3) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
