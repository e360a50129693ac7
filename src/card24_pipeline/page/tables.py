"""Tables of the reports: cells of text, read off the findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from card24_pipeline.findings.accuracy import DIFFERENCE, LEVEL, OVERLAPS, RECOVERED, SOLVED
from card24_pipeline.findings.changes import (
    ANGLE_CHANGE,
    CHANGED,
    COSINE,
    ENERGY,
    NORM_RATIO,
    SIGMA_SHIFT,
    SIGNED_SHIFT,
    WAY_BACK,
)
from card24_pipeline.findings.choices import list_leads
from card24_pipeline.findings.lookup import Findings
from card24_pipeline.findings.models import STEP_ROLE, name_model
from card24_pipeline.page.edit_figures import CHOICE_TITLES, list_edited
from card24_pipeline.page.titles import describe_knob, title_control
from card24_pipeline.page.training_figures import list_splits
from card24_pipeline.study.numbers import NOTHING, write_interval, write_level, write_number
from card24_pipeline.study.rows import read_rows
from card24_pipeline.study.vocabulary import (
    ALL_HANDS,
    BASE,
    CHANGE_MODEL_TITLES,
    CLAIMS,
    END,
    EXPLORATORY,
    HAND_GROUP_TITLES,
    ID_HELDOUT,
    ID_SEEN,
    MAX_OOD,
    MIDDLE,
    OBSERVED,
    POOLED,
    sort_roles,
    title_split,
)

SHARES = (SIGMA_SHIFT, SIGNED_SHIFT, ENERGY, NORM_RATIO, CHANGED)
RUN_COLUMNS = {
    # column of the runs: its heading and format
    "updates": ("updates", "{:.0f}"),
    "hands_per_update": ("answers an update", "{:.0f}"),
    "reward_first": ("reward, first", "{:+.2f}"),
    "reward_last": ("reward, last", "{:+.2f}"),
    "counts": ("counts", "{}"),
    "entropy_first_nats": ("entropy, first (nats/token)", "{:.3f}"),
    "entropy_last_nats": ("entropy, last", "{:.3f}"),
    "kl_start_nats": ("KL from start (nats/token)", "{:.3f}"),
    "kl_anchor_nats": ("KL to anchor", "{:.3f}"),
    "kl_base_nats": ("KL(base‖model) on ID", "{:.3f}"),
    "explained_variance": ("explained variance", "{:.3f}"),
    "clip_fraction": ("clip fraction", "{:.5f}"),
    "ood_card_to_number": ("OOD card→number", "{:.1%}"),
}


def to_markdown(rows: Iterable[Mapping[str, Any]] | pd.DataFrame) -> str:
    """Write rows as a Markdown table, or that there are none."""
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    return table.to_markdown(index=False, disable_numparse=True) if len(table) else "Not measured."


def is_decided(claims: Mapping[str, Any]) -> bool:
    """Tell whether any statement has a verdict; a study of few replicates has none."""
    return any(row["verdict"] != EXPLORATORY for row in claims["statements"])


def table_claims(claims: Mapping[str, Any]) -> list[dict[str, str]]:
    """Tabulate the statements, claim by claim: verdict where any has one, estimate, replicates alone, published."""
    rows = []
    for number, title in CLAIMS.items():
        rows.append(
            {"statement": f"**{number}. {title}**"}
            | dict.fromkeys(("verdict", "measured", "replicates alone", "published"), "")
        )
        rows += [_tabulate_claim(row) for row in claims["statements"] if row["claim"] == number]
    left_out = "" if is_decided(claims) else "verdict"
    return [{name: cell for name, cell in row.items() if name != left_out} for row in rows]


def describe_claim(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write what was measured of a statement: with its interval, replicate by replicate, with notes, as published."""
    unit, unmeasured = row["unit"], row["estimate"] is None
    published = [f"{each['label']}: {write_interval(each, unit)}" for each in row["published"]]
    return {
        "measured": row["note"] if unmeasured else write_interval(row, unit),
        "alone": ", ".join(write_number(value, unit) for value in row["by_seed"].values()),
        "notes": [note for note in ("" if unmeasured else row["note"], row["why_exploratory"]) if note],
        "published": [*published, *filter(None, [row["published_note"]])],
    }


def _tabulate_claim(row: Mapping[str, Any]) -> dict[str, str]:
    told = describe_claim(row)
    return {
        "statement": f"{row['text']} †" if row["by_construction"] else row["text"],
        "verdict": row["verdict"] if row["verdict"] == EXPLORATORY else f"**{row['verdict']}**",
        "measured": "; ".join(filter(None, [told["measured"], *told["notes"]])),
        "replicates alone": told["alone"],
        "published": "; ".join(told["published"]),
    }


def table_checkpoints(findings: Findings) -> list[dict[str, str]]:
    """Tabulate the paired differences between base, MaxOOD and End on OOD: by what the base had met, by replicate."""
    rows = []
    for arm in findings.models.loc[findings.models["kind"] == "sft", "sft_arm"].unique():
        end, max_ood = name_model(arm, END), name_model(arm, MAX_OOD)
        for left, right in ((max_ood, BASE), (end, max_ood), (end, BASE)):
            pair = {"pair": f"{findings.title(left)} − {findings.title(right)}"}
            cells = {title: {"hands": hands} for hands, title in HAND_GROUP_TITLES.items()}
            cells |= {seed: {"scope": seed} for seed in findings.seeds}
            found = {
                title: findings.find(DIFFERENCE, left, right, split=findings.ood, **where)
                for title, where in cells.items()
            }
            if any(row is not None for row in found.values()):
                rows.append(pair | {title: write_interval(row, "points") for title, row in found.items()})
    return rows


def table_steps(findings: Findings) -> list[dict[str, str]]:
    """Tabulate pass@1 by SFT step and split."""
    steps = findings.models[(findings.models["role"] == STEP_ROLE) | (findings.models["kind"] == "base")]
    return [
        {"SFT arm": row["sft_arm"], "step": f"{row['step']}"}
        | {title_split(s): write_level(findings.find(LEVEL, row["model"], split=s)) for s in list_splits(findings)}
        for row in read_rows(steps)
    ]


def table_rl(findings: Findings) -> list[dict[str, str]]:
    """Tabulate RL by start and arm: pass@1 before and after, and the paired gain, on every split."""
    rows = []
    rl = findings.models[findings.models["kind"] == "rl"]
    order = [*sort_roles(set(rl["role"]) - {MIDDLE}), MIDDLE]
    for run in sorted(read_rows(rl), key=lambda row: order.index(row["role"])):
        before, cells = name_model(run["sft_arm"], run["role"]), {}
        for split in list_splits(findings):
            gain = findings.find(DIFFERENCE, run["model"], before, split=split)
            levels = [100 * findings.level(model, split) for model in (before, run["model"])]
            cells[title_split(split)] = f"{levels[0]:.1f} → {levels[1]:.1f}: {write_interval(gain, 'points')}"
        counts = "yes" if findings.counts(run["model"]) else "no"
        rows.append({"start": findings.title(before), "RL": run["arm"], "counts": counts} | cells)
    return rows


def table_rl_contrasts(findings: Findings) -> list[dict[str, str]]:
    """Tabulate every difference on OOD that RL has a part in, over all replicates and in each."""
    estimates, rl = findings.estimates, set(findings.models.loc[findings.models["kind"] == "rl", "model"])
    chosen = estimates[
        estimates["subject"].isin(rl) & (estimates["split"] == findings.ood) & (estimates["scope"] == POOLED)
    ]
    chosen = chosen[(chosen["hands"] == ALL_HANDS) & ~chosen["quantity"].isin((LEVEL, RECOVERED, SOLVED))]
    rows = []
    for row in read_rows(chosen):
        key = row["quantity"], row["subject"], row["reference"]
        alone = {seed: findings.find(*key, split=findings.ood, scope=seed) for seed in findings.seeds}
        about = {"quantity": key[0], "of": findings.title(key[1]), "less that of": findings.title(key[2])}
        rows.append(
            about | {POOLED: write_interval(row, "points")} | {s: write_interval(r, "points") for s, r in alone.items()}
        )
    return rows


def table_overlaps(findings: Findings) -> list[dict[str, str]]:
    """Tabulate which OOD hands RL from End solves, by who solved them before."""
    rl = findings.models[(findings.models["kind"] == "rl") & (findings.models["role"] == END)]
    rows = []
    for model in rl["model"]:
        found = {overlap: findings.find(SOLVED, model, overlap, split=findings.ood) for overlap in OVERLAPS}
        cells = {
            name: NOTHING
            if row is None
            else f"{round(row['estimate'] * row['rows'])} of {row['rows']}: {write_interval(row, 'share')}"
            for name, row in found.items()
        }
        rows.append({"RL": findings.title(model)} | cells)
    return rows


def table_runs(findings: Findings) -> list[dict[str, str]]:
    """Tabulate how each RL run went."""
    return [
        {
            "replicate": f"{run['seed']}",
            "RL": run["rl_arm"],
            "start": findings.title(name_model(run["sft_arm"], run["role"])),
            "SFT step": f"{run['from_step']}",
        }
        | {
            title: NOTHING if pd.isna(run[column]) else written.format(run[column])
            for column, (title, written) in RUN_COLUMNS.items()
        }
        for run in read_rows(findings.runs)
    ]


def table_changes(findings: Findings) -> dict[str, list[dict[str, str]]]:
    """Tabulate what was measured of each change of weights beside its nulls, by the name of the change."""
    estimates = findings.estimates
    measured = estimates[
        (estimates["change_model"] != "") & ~estimates["quantity"].isin((WAY_BACK, COSINE, ANGLE_CHANGE))
    ]
    tables = {}
    for subject, reference in dict.fromkeys(zip(measured["subject"], measured["reference"], strict=True)):
        rows = measured[(measured["subject"] == subject) & (measured["reference"] == reference)]
        columns = [model for model in CHANGE_MODEL_TITLES if model in set(rows["change_model"])]
        tables[f"From {findings.title(reference)} to {findings.title(subject)}"] = [
            {"quantity": quantity}
            | {
                CHANGE_MODEL_TITLES[model]: write_interval(
                    findings.find(quantity, subject, reference, change_model=model),
                    "percent" if quantity in SHARES else "degrees",
                )
                for model in columns
            }
            for quantity in dict.fromkeys(rows["quantity"])
        ]
    return tables


def table_return(findings: Findings) -> list[dict[str, str]]:
    """Tabulate how far RL went back, by run and reference."""
    back = findings.estimates[findings.estimates["quantity"] == ANGLE_CHANGE]
    units = {WAY_BACK: "percent", COSINE: "plain", ANGLE_CHANGE: "degrees"}
    return [
        {"RL": findings.title(subject), "toward": findings.title(reference)}
        | {
            quantity: write_interval(findings.find(quantity, subject, reference, change_model=OBSERVED), unit)
            for quantity, unit in units.items()
        }
        for subject, reference in dict.fromkeys(zip(back["subject"], back["reference"], strict=True))
    ]


def table_edits(findings: Findings, *, chosen: bool) -> list[dict[str, str]]:
    """Tabulate the models that stand beside edits, or only each family's choices."""
    rows = []
    for row, series in list_edited(findings):
        chosen_as = [title for column, title in CHOICE_TITLES.items() if row[column]]
        if chosen and not chosen_as:
            continue
        arm, where = row["sft_arm"] or findings.sft_arm, {"split": findings.ood}
        end, donor = name_model(arm, END), BASE if row["donor"] == BASE else name_model(arm, MAX_OOD)
        share = findings.find(RECOVERED, row["model"], donor, **where)
        cells = {
            "model": series,
            "knob": describe_knob(row) or NOTHING,
            "chosen as": ", ".join(chosen_as),
            **{
                title_split(split): write_level(findings.find(LEVEL, row["model"], split=split))
                for split in (findings.ood, ID_SEEN, ID_HELDOUT)
            },
            "OOD − End": write_interval(findings.find(DIFFERENCE, row["model"], end, **where), "points"),
            "ID − End": write_interval(findings.find(DIFFERENCE, row["model"], end, split=ID_SEEN), "points"),
            "recovered share": write_interval(share, "share"),
            "FLOP": f"{row['cost_flops']:.2g}",
        }
        rows.append(cells if chosen else {name: cell for name, cell in cells.items() if name != "chosen as"})
    return rows


def table_leads(findings: Findings) -> list[dict[str, str]]:
    """Tabulate by how much the claimed merge lies above each kind of control, held to at least its ID, on OOD."""
    edited = {row["model"]: (row, series) for row, series in list_edited(findings)}
    rows = []
    for lead in read_rows(list_leads(findings.models, findings.estimates, findings.ood)):
        merge, control = lead["merge"], lead["control"]
        levels = [f"{100 * findings.level(model, ID_SEEN):.1f}" for model in (merge, control) if model]
        found = findings.find(DIFFERENCE, merge, control, split=findings.ood) if control else None
        row, series = edited[control] if control else ({"knob_name": ""}, title_control(str(lead["kind"])))
        rows.append(
            {
                "merge": edited[merge][1],
                "control": series,
                "its knob": describe_knob(row) or NOTHING,
                "ID of the merge, of the control": " against ".join(levels) if control else "no control has enough ID",
                "merge − control on OOD": write_interval(found, "points"),
            }
        )
    return rows
