"""Write the model card and the data card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from card24_pipeline.parameters.plain import to_plain
from card24_pipeline.reporting.cards import write_data_card, write_model_card


def write_cards(
    multisets: pd.DataFrame,
    eval_hands: pd.DataFrame,
    pretraining_examples: pd.DataFrame,
    sft_examples: pd.DataFrame,
    rl_hands: pd.DataFrame,
    recovery_points: pd.DataFrame,
    base_model: Mapping[str, Any],
    seeds: list[int],
) -> tuple[str, str]:
    """Write the cards from what was dealt, trained on and measured.

    Returns:
        The model card and the data card, as Markdown.
    """
    examples = {
        "pre-training examples (a base from scratch)": len(pretraining_examples),
        "SFT examples": len(sft_examples),
        "RL hands": len(rl_hands),
    }
    return write_model_card(to_plain(base_model), recovery_points, len(seeds)), write_data_card(
        eval_hands, multisets, examples
    )
