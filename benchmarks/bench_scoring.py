"""Scoring in batches beside one hand at a time: `python -m benchmarks.bench_scoring`."""

import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import yaml

from benchmarks import PROJECT
from card24_pipeline.evaluation.scoring import score_hands
from card24_pipeline.evaluation.settings import ScoringSettings
from card24_pipeline.models.from_scratch import build_llama
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.models.tokenizer import build_word_tokenizer
from card24_pipeline.pipelines.game.deal_eval_hands import deal_eval_hands
from card24_pipeline.pipelines.game.split_multisets import split_multisets
from card24_pipeline.pipelines.parameters import StudyParameters

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
    study = StudyParameters.model_validate(yaml.safe_load((PROJECT / "params.yaml").read_text()))
    game = study.game
    dealt = deal_eval_hands(split_multisets(game.rules, game.split), game.rules, game.prompt, game.eval_hands)
    hands = dealt.sample(HANDS, random_state=0).reset_index(drop=True)
    name, model, tokenizer = find_model(study, dealt)

    def score(chosen: pd.DataFrame, batch_size: int) -> tuple[float, pd.DataFrame]:
        settings: ScoringSettings = study.scoring.model_copy(update={"batch_size": batch_size})
        layout, style = game.prompt.layout, game.prompt.style
        started = time.perf_counter()
        rows = score_hands(model, tokenizer, chosen, settings, layout=layout, style=style, label="bench")
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


def find_model(study: StudyParameters, dealt: pd.DataFrame) -> tuple[str, Any, Any]:
    models = PROJECT / "data/06_models/base"
    tuned = sorted(models.glob("seed_*/sft/step_*"), key=_read_step)
    for folder in [*tuned[-1:], models / "shared/base"]:
        if folder.is_dir():
            return str(folder.relative_to(PROJECT)), *load_checkpoint(folder)
    architecture = study.base_model.source.root.architecture
    # The answers' words matter to nobody here, but the size of the vocabulary does.
    texts = [*dealt["prompt"], " ".join(map(str, range(100)))]
    tokenizer = build_word_tokenizer(texts, max_tokens=architecture.max_tokens)
    return "a fresh model, which never ends an answer", build_llama(architecture, tokenizer, seed=0).eval(), tokenizer


def _read_step(folder: Path) -> int:
    return int(folder.name.removeprefix("step_"))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
