"""A study of two seeds, three SFT checkpoints, four RL runs and four edits a seed, whose figures are told by rule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from card24_pipeline.tracking.children import StudyTables
from card24_pipeline.tracking.records import StudyRecord
from card24_pipeline.tracking.study import digest_artifacts, put_study_together

SEEDS = (0, 1)
OOD = {2: 0.6, 4: 0.4, 8: 0.2}  # by SFT step; the base has 0.1
ROLES = {2: "max_ood", 4: "rung_1", 8: "end"}
EDITS = {  # name: method, donor, knob's name, knob, pass@1 on OOD
    "uv_top donor=max_ood top_fraction=0.2": ("uv_top", "max_ood", "top_fraction", 0.2, 0.5),
    "layer_reset donor=max_ood quarter=1": ("layer_reset", "max_ood", "quarter", 1.0, 0.3),
    "uv_top donor=base top_fraction=0.2": ("uv_top", "base", "top_fraction", 0.2, 0.5),
    "delta_threshold donor=max_ood": ("delta_threshold", "max_ood", "", float("nan"), 0.2),
}
UPDATES = (1, 2, 3)
CHILDREN = len(SEEDS) * (1 + 3 + 4 + len(EDITS))
ARM = {"sft_arm": "main", "algorithm": "ppo", "roles": "all"}
SETTINGS = {
    "game": {"rules": {"ood": {"ood": {"jack": 11}}}},
    "sft_arms": {"main": {}},
    "rl_arms": {"plain": ARM, "anchored": ARM},
    "edit_arms": {"main": {"sft_arm": "main", "grid": [{"method": "uv_top", "knobs": [0.2, 1.0]}]}},
}
METRICS = {"pass_at_1": {"ood": {"main/end": 0.2}, "id_seen": {"main/end": 0.9}}}


def score(ood: float, **identity: object) -> list[dict[str, object]]:
    passes = {"ood": ood, "ood_select": ood / 2, "id_seen": 0.9, "id_heldout": 0.5, "published_ood": 1.0}
    return [
        {
            **identity,
            "split": split,
            "base_met_multiset": met,
            "pass_at_1": value if met == "all" else 0.0,
            "card_to_number_accuracy": 0.8 if split == "ood" else 0.7,
            "forward_kl_nats": 0.01,
        }
        for split, value in passes.items()
        for met in ("all", "met", "never_met")
    ]


def table_rl() -> tuple[pd.DataFrame, pd.DataFrame]:
    starts = [("plain", step) for step in OOD] + [("anchored", 8)]
    runs = [(seed, arm, start) for seed in SEEDS for arm, start in starts]
    scores = [
        row for seed, arm, start in runs for row in score(OOD[start] + 0.1, seed=seed, rl_arm=arm, from_step=start)
    ]
    history = [
        {"seed": seed, "rl_arm": arm, "from_step": start, "update": update, "reward": update - 3.0}
        | {"explained_variance": float("nan"), "flops": 100 * update}
        for seed, arm, start in runs
        for update in UPDATES
    ]
    return pd.DataFrame(scores), pd.DataFrame(history)


def table_estimates() -> pd.DataFrame:
    """What the findings say: of angles and shifts by change, of shares by edit and run; null models turn by 90°."""
    rows = [("angle of the top", f"main/{ROLES[step]}", "base", "observed", 1.5 * step) for step in OOD]
    rows += [(*rows[0][:3], "gaussian", 90.0), ("angle of the top", "main/end", "main/max_ood", "observed", 77.0)]
    rows += [("relative shift of singular values", "main/max_ood", "base", "observed", 0.02)]
    rows += [("angle of the top", "plain/from max_ood", "main/max_ood", "observed", 4.0)]
    rows += [("recovered share of the loss", "plain/from end", "main/max_ood", "", 0.25)]
    rows += [("recovered share of the loss", "main/layer_reset donor=max_ood quarter=1", "main/max_ood", "", 0.25)]
    columns = ["quantity", "subject", "reference", "change_model", "estimate"]
    table = pd.DataFrame(rows, columns=columns).assign(split="")
    shares = table["quantity"] == "recovered share of the loss"
    table.loc[shares, "split"] = "ood"
    # Hands drawn as published have shares too; a run's is that of the claims' hands.
    table = pd.concat([table, table[shares].assign(split="published_ood", estimate=0.9)], ignore_index=True)
    frames = [table.assign(scope=f"replicate {seed}") for seed in SEEDS]
    return pd.concat([*frames, table.assign(scope="all replicates", estimate=-1.0)], ignore_index=True)


def make_tables(ood_of_end: float = OOD[8]) -> StudyTables:
    """Make the tables, with a choice of pass@1 on OOD of each seed's last checkpoint."""
    passes = OOD | {8: ood_of_end}
    models = [(seed, step) for seed in SEEDS for step in OOD]
    rl_scores, rl_history = table_rl()
    edits = [(seed, name, *facts) for seed in SEEDS for name, facts in EDITS.items()]
    return StudyTables(
        base_scores=pd.DataFrame([row for seed in SEEDS for row in score(0.1, seed=seed)]).drop(
            columns="forward_kl_nats"
        ),
        sft_scores=pd.DataFrame(
            [row for seed, step in models for row in score(passes[step], seed=seed, sft_arm="main", step=step)]
        ),
        sft_history=pd.DataFrame(
            {"seed": seed, "sft_arm": "main", "step": step, "loss": 1 / step, "training_flops": 1000 * step}
            for seed in SEEDS
            for step in range(1, 9)
        ),
        selected_checkpoints=pd.DataFrame(
            {"seed": seed, "sft_arm": "main", "role": role, "step": step}
            for seed in SEEDS
            for step, role in ROLES.items()
        ),
        rl_scores=rl_scores,
        rl_history=rl_history,
        estimates=table_estimates(),
        edit_variants=pd.DataFrame(
            {
                "seed": seed,
                "edit_arm": "main",
                "variant": name,
                "method": method,
                "donor": donor,
                "knob_name": knob_name,
                "knob": knob,
                "sigma": "target",
                "matrices": "attention,mlp",
                "embeddings": False,
                "edit_flops": 7,
            }
            for seed, name, method, donor, knob_name, knob, _ in edits
        ),
        edit_scores=pd.DataFrame(
            [row for seed, name, *_, ood in edits for row in score(ood, seed=seed, edit_arm="main", variant=name)]
        ).drop(columns="forward_kl_nats"),
    )


DECIDED = ({"text": "OOD peaks", "verdict": "holds"}, {"text": "RL heals", "verdict": "undecided"})


def write_files(folder: Path, statements: Sequence[dict[str, str]] = DECIDED) -> list[Path]:
    """Write two files of a report, and name a third that is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in ("report.md", "claims.json", "report.html")]
    files[0].write_text("# Report\n", encoding="utf-8")
    files[1].write_text(json.dumps({"statements": list(statements)}), encoding="utf-8")
    return files


def make_study(
    folder: Path, tables: StudyTables | None = None, statements: Sequence[dict[str, str]] = DECIDED
) -> StudyRecord:
    tables, files = tables or make_tables(), write_files(folder, statements)
    artifacts = digest_artifacts(tables, SETTINGS, files)
    return put_study_together(
        tables,
        SETTINGS,
        files,
        METRICS,
        scale="tiny",
        checkpoints="data/06_models/tiny",
        artifacts=artifacts,
        provenance={"card24.python": "3.11"},
    )
