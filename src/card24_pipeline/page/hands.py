"""Every answer to every hand, packed for the page's browser."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from card24_pipeline.game.verdicts import Outcome
from card24_pipeline.study.vocabulary import PUBLISHED

OUTCOMES = [outcome.value for outcome in Outcome]


def pack_hands(models: Mapping[tuple[str, int | None], pd.DataFrame], roles: Mapping[str, Mapping[int, str]]) -> str:
    """Pack graded hands into base64 of gzip of JSON; the same hands always give the same text.

    Args:
        models: Graded hands by model and seed (None for one that seeds share), each with the same hands:
            columns ``split``, ``hand``, ``cards``, ``answer``, ``outcome``.
        roles: Names that stand for one model or another by the seed: the model's name by role and seed.

    Returns:
        Packed ``{splits, outcomes, answers, hands: {split, hand, cards}, models: [{name, seed, answer, outcome}],
        roles}``: lists of one length, in which splits, answers and outcomes are numbers into the lists of these names.

    Raises:
        ValueError: If a model was not scored on the hands of the first one.
    """
    index: pd.MultiIndex | None = None
    cards: list[str] = []
    answers: dict[str, int] = {}
    packed = []
    for (name, seed), graded in models.items():
        hands = graded[~graded["split"].str.startswith(PUBLISHED)].sort_values(["split", "hand"])
        found = pd.MultiIndex.from_frame(hands[["split", "hand"]])
        if index is None:
            index, cards = found, hands["cards"].tolist()
        elif not found.equals(index):
            raise ValueError(
                f"{name}, replicate {seed}: {len(found)} hands that are not the {len(index)} of the first model"
            )
        packed.append(
            {
                "name": name,
                "seed": seed,
                "answer": [answers.setdefault(answer, len(answers)) for answer in hands["answer"]],
                "outcome": [OUTCOMES.index(outcome) for outcome in hands["outcome"]],
            }
        )
    places = [] if index is None else list(index)
    splits = list(dict.fromkeys(split for split, _ in places))
    content: dict[str, Any] = {
        "splits": splits,
        "outcomes": OUTCOMES,
        "answers": list(answers),
        "hands": {
            "split": [splits.index(split) for split, _ in places],
            "hand": [int(hand) for _, hand in places],
            "cards": cards,
        },
        "models": packed,
        "roles": roles,
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(text, mtime=0)).decode()
