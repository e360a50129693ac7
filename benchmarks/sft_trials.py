"""How the base and the rate of the tuned SFT were chosen: `python -m benchmarks.sft_trials OUT [DEVICE [PROCESSES]]`.

On replicates that the study does not use, and without reading OOD: bases are compared on bare puzzles of multisets for
choosing, fine-tuning on practised ID hands for choosing (`id_select`), with held-out ID hands beside them. Writes
`OUT/base_trials.csv` and `OUT/sft_trials.csv`, a row as soon as it is measured.
"""

import csv
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmarks.default_study import deal_hands, read_params
from card24_pipeline.checkpoints.writer import save_checkpoint
from card24_pipeline.evaluation.costs import count_training_flops
from card24_pipeline.evaluation.scoring import ScoringParams, score_hands
from card24_pipeline.game.prompts import render_numbers
from card24_pipeline.models.from_scratch import ArchitectureParams, build_llama
from card24_pipeline.models.loading import load_checkpoint
from card24_pipeline.models.tokenized import tokenize_examples
from card24_pipeline.models.tokenizer import build_word_tokenizer
from card24_pipeline.pipelines.base_model.render_pretraining_examples import render_pretraining_examples
from card24_pipeline.pipelines.game.render_sft_examples import render_sft_examples
from card24_pipeline.training.language_modelling import ScheduleParams, train_language_model

REPLICATES = (100, 101, 102, 103, 104)
REFERENCE = "width 128"
RATES = (3e-5, 8e-5, 1.5e-4, 3e-4, 6e-4, 1.2e-3)
SFT_STEPS = (80, 160, 240, 320, 400, 600, 800)


@dataclass(frozen=True)
class BaseTrial:
    """One size and length of the base; its learning rate falls as a cosine."""

    name: str
    layers: int = 4
    steps: int = 600
    batch_size: int = 256
    learning_rate: float = 2e-3


TRIALS = (
    BaseTrial(REFERENCE),
    BaseTrial("450 steps", steps=450),
    BaseTrial("450 steps, rate x2", steps=450, learning_rate=4e-3),
    BaseTrial("300 steps, rate x2", steps=300, learning_rate=4e-3),
    BaseTrial("half batch", batch_size=128),
    BaseTrial("3 layers", layers=3),
    BaseTrial("3 layers, rate x2", layers=3, learning_rate=4e-3),
)


@cache
def deal() -> tuple[Any, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    study = read_params()
    multisets, hands = deal_hands(study)
    game = study.game
    return study, multisets, hands, render_sft_examples(multisets, game.rules, game.prompt, game.sft_examples)


def train_base(out: Path, device: str, trial: BaseTrial, replicate: int) -> dict[str, Any]:
    """Train one base, keep it under `out/bases`, and score it on bare puzzles."""
    study, multisets, hands, sft = deal()
    game, prompt = study.game, study.game.prompt
    mixture = study.base_model.mixture.model_copy(update={"examples": trial.steps * trial.batch_size})
    examples = render_pretraining_examples(multisets, game.rules, prompt, mixture, replicate)
    parts = (sft["prompt"], sft["answer"], hands["prompt"], examples["prompt"], examples["answer"])
    architecture = ArchitectureParams(
        hidden_size=128, intermediate_size=344, layers=trial.layers, attention_heads=4, max_tokens=64
    )
    tokenizer = build_word_tokenizer([text for part in parts for text in part], max_tokens=architecture.max_tokens)
    model = build_llama(architecture, tokenizer, seed=replicate).to(device)
    tokenized = tokenize_examples(tokenizer, list(examples["prompt"]), list(examples["answer"]), max_tokens=64)
    schedule = study.base_model.source.root.schedule.model_copy(
        update={
            "steps": trial.steps,
            "batch_size": trial.batch_size,
            "micro_batch_size": 64 if device == "cpu" else trial.batch_size,
            "learning_rate": trial.learning_rate,
            "resume_every_steps": 10_000_000,
        }
    )
    _train(model, tokenizer, tokenized, schedule, replicate, [trial.steps])
    folder = out / "bases" / f"{trial.name} {replicate}"
    save_checkpoint(model, tokenizer, folder)
    row = {"trial": trial.name, "replicate": replicate}
    row |= {"training_flops": count_training_flops(model, [len(each["input_ids"]) for each in tokenized])}
    for split in ("id_select", "ood_select"):
        chosen = hands[hands["split"] == split].drop_duplicates("multiset")
        bare = chosen.assign(prompt=[render_numbers(values) for values in chosen["values"]])
        row[f"bare_puzzles_{split}"] = _score(model, tokenizer, bare, study.scoring, prompt)["passed"].mean()
    return row


def fine_tune(out: Path, device: str, trial: str, replicate: int, rate: float) -> list[dict[str, Any]]:
    """Fine-tune one base at one rate and score it along the way; OOD hands are not answered."""
    study, _, hands, sft = deal()
    model, tokenizer = load_checkpoint(out / "bases" / f"{trial} {replicate}", device)
    tokenized = tokenize_examples(tokenizer, list(sft["prompt"]), list(sft["answer"]), max_tokens=64)
    schedule = study.sft.schedule.model_copy(
        update={
            "steps": SFT_STEPS[-1],
            "learning_rate": rate,
            "learning_rate_shape": "constant",
            "resume_every_steps": 10_000_000,
        }
    )
    asked = hands[hands["split"].isin(["id_select", "id_heldout"])].reset_index(drop=True)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        train_language_model(
            model.train(), tokenizer, tokenized, schedule, save_steps=SFT_STEPS, seed=replicate, progress=Path(folder)
        )
        for step in SFT_STEPS:
            kept, _ = load_checkpoint(Path(folder) / f"step_{step}", device)
            scored = _score(kept, tokenizer, asked, study.scoring, study.game.prompt)
            shares = scored.groupby("split")["passed"].mean()
            rows.append({"replicate": replicate, "learning_rate": rate, "step": step, **dict(shares)})
    return rows


def choose_base(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the base of fewest operations that is not weaker than the reference on either kind of bare puzzle."""
    means = pd.DataFrame(rows).groupby("trial").mean(numeric_only=True)
    bare = means.filter(like="bare_puzzles_")
    able = means[(bare >= bare.loc[REFERENCE]).all(axis="columns")]
    return str(able["training_flops"].idxmin())


def main() -> None:
    out = Path(sys.argv[1])
    device = sys.argv[2] if len(sys.argv) > 2 else "cpu"
    processes = int(sys.argv[3]) if len(sys.argv) > 3 else os.cpu_count() or 1
    out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), use_one_thread) as pool:
        bases = [pool.submit(train_base, out, device, trial, replicate) for replicate in REPLICATES for trial in TRIALS]
        rows = [_keep(out / "base_trials.csv", base.result()) for base in bases]
        chosen = choose_base(rows)
        print(f"base: {chosen}", flush=True)
        runs = [
            pool.submit(fine_tune, out, device, chosen, replicate, rate)
            for replicate in REPLICATES
            for rate in sorted(RATES, reverse=True)
        ]
        for run in runs:
            for row in run.result():
                _keep(out / "sft_trials.csv", row)


def _train(
    model: Any, tokenizer: Any, examples: Any, schedule: ScheduleParams, seed: int, steps: Sequence[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        train_language_model(model, tokenizer, examples, schedule, save_steps=steps, seed=seed, progress=Path(folder))


def _score(model: Any, tokenizer: Any, hands: pd.DataFrame, scoring: ScoringParams, prompt: Any) -> pd.DataFrame:
    return score_hands(model.eval(), tokenizer, hands.reset_index(drop=True), scoring, prompt, label="trial")


def _keep(file: Path, row: dict[str, Any]) -> dict[str, Any]:
    new = not file.exists()
    with file.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, list(row))
        writer.writerows(([dict(zip(row, row, strict=True))] if new else []) + [row])
    print(row, flush=True)
    return row


def use_one_thread() -> None:
    os.environ["TQDM_DISABLE"] = "1"
    torch.set_num_threads(1)


if __name__ == "__main__":
    main()
