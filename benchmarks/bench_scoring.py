"""Scoring in batches beside one hand at a time: `python -m benchmarks.bench_scoring`."""

import json
import time
from statistics import median

import pandas as pd

from benchmarks.default_study import deal_hands, find_model, read_params
from card24_pipeline.evaluation.scoring import score_hands

HANDS = 512
HANDS_AT_ONCE = 16  # scored singly in a round: enough to time, few enough to wait for
ROUNDS = 3


def measure() -> dict[str, float | str]:
    """Score the same hands with the same model both ways, in turns, and take medians.

    The model is a checkpoint of the default study if there is one. A fresh model of that size does otherwise; as
    it never ends an answer, both ways then write answers of the full length.

    Returns:
        hands per second of each, the ratio of the medians, which model answered, and for how many of the hands
        scored singly the answer was the same word for word.
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

    score(hands.head(2), 2)  # imports, allocations
    batched_rates, single_rates, agreeing = [], [], 0
    for start in range(0, ROUNDS * HANDS_AT_ONCE, HANDS_AT_ONCE):
        batched_rate, batched = score(hands, study.scoring.batch_size)
        single_rate, single = score(hands.iloc[start : start + HANDS_AT_ONCE], 1)
        batched_rates.append(batched_rate)
        single_rates.append(single_rate)
        agreeing += int((single["answer"] == batched.loc[single.index, "answer"]).sum())
    return {
        "batched_hands_per_second": median(batched_rates),
        "single_hands_per_second": median(single_rates),
        "ratio": median(batched_rates) / median(single_rates),
        "same_answers": f"{agreeing} of {ROUNDS * HANDS_AT_ONCE}",
        "model": name,
        "hands": float(HANDS),
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
