"""Scoring in batches beside one hand at a time and beside the library's loop: `python -m benchmarks.bench_scoring`."""

import json
import time
from statistics import median
from typing import Any
from unittest.mock import patch

import pandas as pd

from benchmarks.default_study import deal_hands, find_model, read_params
from card24_pipeline.evaluation import generation
from card24_pipeline.evaluation.divergence import ForwardDivergence
from card24_pipeline.evaluation.scoring import score_hands
from card24_pipeline.models.tokenized import tokenize_examples

HANDS = 512
HANDS_AT_ONCE = 16  # scored singly in a round: enough to time, few enough to wait for
ROUNDS = 3


def measure() -> dict[str, float | str]:
    """Score the same hands with the same model all ways, in turns, and take medians.

    The model is a checkpoint of the default study if there is one. A fresh model of that size does otherwise; as
    it never ends an answer, all ways then write answers of the full length.

    Returns:
        hands per second of each, the ratios of the medians, which model answered, and for how many of the hands
        scored singly, and by the library, the answer was the same word for word; divergences a second with the base's
        part kept and anew.
    """
    study = read_params()
    dealt = deal_hands(study)[1]
    hands = dealt.sample(HANDS, random_state=0).reset_index(drop=True)
    name, model, tokenizer = find_model(study, dealt)

    def score(chosen: pd.DataFrame, batch_size: int) -> tuple[float, pd.DataFrame]:
        scoring = study.scoring.model_copy(update={"batch_size": batch_size})
        started = time.perf_counter()
        rows = score_hands(model, tokenizer, chosen, scoring, study.game.prompt, label="bench")
        return len(chosen) / (time.perf_counter() - started), rows

    def score_by_library() -> tuple[float, pd.DataFrame]:
        with patch.object(generation, "takes_argmax", return_value=False):
            return score(hands, study.scoring.batch_size)

    score(hands.head(2), 2)  # imports, allocations
    batched_rates, single_rates, library_rates, agreeing, library_agreeing = [], [], [], 0, 0
    for start in range(0, ROUNDS * HANDS_AT_ONCE, HANDS_AT_ONCE):
        batched_rate, batched = score(hands, study.scoring.batch_size)
        single_rate, single = score(hands.iloc[start : start + HANDS_AT_ONCE], 1)
        library_rate, library = score_by_library()
        library_rates.append(library_rate)
        library_agreeing += int((library["answer"] == batched["answer"]).sum())
        batched_rates.append(batched_rate)
        single_rates.append(single_rate)
        agreeing += int((single["answer"] == batched.loc[single.index, "answer"]).sum())
    return {
        "batched_hands_per_second": median(batched_rates),
        "single_hands_per_second": median(single_rates),
        "ratio": median(batched_rates) / median(single_rates),
        "library_hands_per_second": median(library_rates),
        "library_ratio": median(batched_rates) / median(library_rates),
        "same_answers": f"{agreeing} of {ROUNDS * HANDS_AT_ONCE} singly and {library_agreeing} of {ROUNDS * HANDS}",
        "model": name,
        "hands": float(HANDS),
        **_time_divergence(model, tokenizer, hands["prompt"].tolist(), study.scoring.batch_size),
    }


def _time_divergence(model: Any, tokenizer: Any, prompts: list[str], batch_size: int) -> dict[str, float]:
    """Measure the model's divergence from itself, with the base's part kept and anew, in turns."""
    context = model.config.max_position_embeddings
    examples = tokenize_examples(
        tokenizer, prompts, [" ".join(map(str, range(1, 24)))] * len(prompts), max_tokens=context
    )
    kept = ForwardDivergence(model, examples, batch_size=batch_size)
    kept.measure(model)
    rates: dict[str, list[float]] = {"divergences_per_second": [], "single_divergences_per_second": []}
    for _ in range(ROUNDS):
        for name, used in zip(rates, (kept, ForwardDivergence(model, examples, batch_size=batch_size)), strict=True):
            started = time.perf_counter()
            used.measure(model)
            rates[name].append(1 / (time.perf_counter() - started))
    once, each = (median(found) for found in rates.values())
    return {"divergences_per_second": once, "single_divergences_per_second": each, "divergence_ratio": once / each}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
