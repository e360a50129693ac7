"""Model card and data card of a study, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from card24_pipeline.reporting.tables import to_markdown

BASE, MAX_OOD = "base", "max_ood"
SPLIT_PURPOSES = {
    "id_seen": "ID rule, multisets that SFT and RL are trained on",
    "id_heldout": "ID rule, multisets held out from SFT and RL",
    "ood_select": "OOD rule, for choosing checkpoints and knobs",
    "ood": "OOD rule, for every claim",
    "published_id": "ID rule, hands drawn one by one as published",
    "published_ood": "OOD rule, hands drawn one by one as published",
}


def write_model_card(base_model: Mapping[str, Any], metrics: pd.DataFrame, seeds: int) -> str:
    """Write what the models are, what they are for, and where they fail.

    Args:
        base_model: The parameters ``base_model``.
        metrics: Output of ``RecoveryBuilder.trace_points``, of which checkpoints and RL are shown.
        seeds: Number of seeds.
    """
    source = base_model["source"]
    if source["kind"] == "from_scratch":
        shape = source["architecture"]
        origin = (
            f"The base is a Llama-architecture model ({shape['layers']} layers, width {shape['hidden_size']}), trained "
            f"from scratch by the pipeline on {base_model['mixture']['examples']:,} synthetic examples: translations "
            "of cards, number puzzles, and whole tasks under random face rules. It is a model organism: its OOD skill "
            "was given to it so that there is something to forget. "
            f"{_tell_elicitation(metrics)}"
        )
    else:
        origin = f"The base was taken from {source['path']}."
    shown = metrics[metrics["donor"].fillna("") == ""]
    table = pd.DataFrame(
        {
            "model": shown["variant"],
            **{
                title: [f"{100 * value:.1f}" for value in shown[f"{split}_pass_at_1"]]
                for split, title in (("id_seen", "ID (SFT multisets)"), ("id_heldout", "ID (held out)"), ("ood", "OOD"))
            },
        }
    )
    parts = [
        "# Model card",
        origin,
        f"From it come the checkpoints of SFT on the ID rule, of RL from some of these, and edits of the last one; "
        f"{seeds} seeds. Full parameters, float32, safetensors.",
        "## Use",
        "To study what fine-tuning breaks and what repairs it. They solve nothing but hands of four cards in the "
        "pipeline's own prompt format, and are no general language models.",
        "## Accuracy",
        "Greedy pass@1 in percent, seeds pooled.",
        to_markdown(table),
        "## Limits",
        "One base model. What holds for a model of a few million weights need not hold for a larger one. Another "
        "processor rounds otherwise and gives another base: these figures then leave their intervals, differences "
        "between models hardly do.",
        "Licence: Apache-2.0.",
    ]
    return "\n\n".join(parts) + "\n"


def _tell_elicitation(metrics: pd.DataFrame) -> str:
    """Say how much of the skill the base shows before SFT, and how much at MaxOOD."""
    passes = metrics.set_index("variant")["ood_pass_at_1"]
    if not {BASE, MAX_OOD} <= set(passes.index):
        return ""
    told = (
        f"The base itself solves {passes[BASE]:.1%} of the OOD hands in the format of the prompts, MaxOOD "
        f"{passes[MAX_OOD]:.1%}"
    )
    brought_out = passes[MAX_OOD] > 2 * passes[BASE]
    return f"{told}: what SFT loses later is skill that its own first steps bring out." if brought_out else f"{told}."


def write_data_card(eval_hands: pd.DataFrame, multisets: pd.DataFrame, examples: Mapping[str, int]) -> str:
    """Write what the data are and how they are split.

    Args:
        eval_hands: The evaluation hands: columns ``split``, ``multiset``, ``base_met_multiset``.
        multisets: Every multiset of values with its ``split``.
        examples: Numbers of training examples by name.
    """
    grouped = eval_hands.groupby("split")
    table = pd.DataFrame(
        {
            "split": [split for split in SPLIT_PURPOSES if split in grouped.groups],
            "what for": [text for split, text in SPLIT_PURPOSES.items() if split in grouped.groups],
        }
    )
    table["hands"] = [len(grouped.get_group(split)) for split in table["split"]]
    table["multisets"] = [grouped.get_group(split)["multiset"].nunique() for split in table["split"]]
    table["never met by the base"] = [
        grouped.get_group(split).loc[~grouped.get_group(split)["base_met_multiset"], "multiset"].nunique()
        for split in table["split"]
    ]
    counts = pd.DataFrame({"data": list(examples), "rows": [f"{count:,}" for count in examples.values()]})
    parts = [
        "# Data card",
        "Hands of the 24-point card game, dealt by the pipeline: every multiset of four card values from which the "
        f"target can be made, {len(multisets):,} in all, solved exactly in rational arithmetic. Nothing is collected "
        "from people. Under the ID rule J, Q and K all count as one value; under the OOD rule each has its own, and a "
        "hand holds at least one of them.",
        "## Evaluation hands",
        to_markdown(table),
        "Splits are by multiset: no multiset of `ood` is in `ood_select`, and none held out is in SFT or RL. The "
        "published hands are the exception: they are drawn as published, whatever else their multisets are in. A part "
        "of every split is withheld from the base's pre-training.",
        "## Training data",
        to_markdown(counts),
        "Licence: Apache-2.0.",
    ]
    return "\n\n".join(parts) + "\n"
