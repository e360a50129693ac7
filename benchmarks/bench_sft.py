"""Training beside TRL's way and a bare PyTorch loop, same batches: `python -m benchmarks.bench_sft`."""

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch.nn.utils.rnn import pad_sequence

from benchmarks.default_study import read_architecture, read_params
from card24_pipeline.models.from_scratch import build_llama
from card24_pipeline.models.tokenized import IGNORED_LABEL, TokenizedExample, tokenize_examples
from card24_pipeline.models.tokenizer import build_word_tokenizer
from card24_pipeline.pipelines.game.render_sft_examples import render_sft_examples
from card24_pipeline.pipelines.game.split_multisets import split_multisets
from card24_pipeline.pipelines.parameters import StudyParams
from card24_pipeline.training.language_modelling import ScheduleParams, TrainingRun, train_language_model
from card24_pipeline.training.ordering import order_examples

STEPS = 30
ROUNDS = 3
DEALS_PER_MULTISET = 5  # some 2,300 examples: more than STEPS batches of 64 show
TOLERANCE = 1e-3


def measure() -> dict[str, float]:
    """Train the default study's model from the same weights on the same batches, in turns, and take medians.

    The bare loop does what training needs and no more: it fills up a batch, runs the model with its own loss,
    clips the gradient and takes a fused AdamW step at the same learning rate. TRL's way is our trainer with the loss of
    ``SFTTrainer``, which reads every prompt whole. Both are timed from first step to saved checkpoint, with history.

    Returns:
        tokens per second of each (without padding), and the ratios of the medians.

    Raises:
        RuntimeError: They did not train the same model.
    """
    study = read_params()
    examples, tokenizer = _prepare_examples(study)
    architecture = read_architecture(study)
    schedule = study.sft.schedule.model_copy(update={"steps": STEPS})

    def train(model: Any, shortened: ScheduleParams) -> TrainingRun:
        steps = [shortened.steps]
        with tempfile.TemporaryDirectory() as folder:
            return train_language_model(
                model, tokenizer, examples, shortened, save_steps=steps, seed=0, progress=Path(folder)
            )

    def run(steps: int) -> tuple[float, float, float]:
        models = [build_llama(architecture, tokenizer, seed=0).train() for _ in range(3)]
        shortened = schedule.model_copy(update={"steps": steps})
        ours = train(models[0], shortened)
        with patch("card24_pipeline.training.answer_trainer.has_plain_head", return_value=False):
            trl = train(models[1], shortened)
        bare_seconds = _train_bare(models[2], tokenizer.pad_token_id, examples, shortened)
        for other in models[1:]:
            _check_same_weights(models[0], other)
        rates = [each.timings()["tokens_per_second"] for each in (ours, trl)]
        return rates[0], rates[1], ours.tokens / bare_seconds

    run(3)  # imports, allocations
    ours_rate, trl_rate, bare_rate = map(median, zip(*(run(STEPS) for _ in range(ROUNDS)), strict=True))
    return {
        "sft_tokens_per_second": ours_rate,
        "plain_sft_trainer_tokens_per_second": trl_rate,
        "bare_loop_tokens_per_second": bare_rate,
        "plain_ratio": ours_rate / trl_rate,
        "ratio": ours_rate / bare_rate,
        "steps": float(STEPS),
        "batch_size": float(schedule.batch_size),
    }


def render_examples(study: StudyParams) -> tuple[list[str], list[str]]:
    """Return prompts and answers of supervised training."""
    game = study.game
    few = game.sft_examples.model_copy(update={"deals_per_multiset": DEALS_PER_MULTISET})
    frame = render_sft_examples(split_multisets(game.rules, game.split), game.rules, game.prompt, few)
    return frame["prompt"].tolist(), frame["answer"].tolist()


def _prepare_examples(study: StudyParams) -> tuple[list[TokenizedExample], Any]:
    prompts, answers = render_examples(study)
    max_tokens = read_architecture(study).max_tokens
    tokenizer = build_word_tokenizer([*prompts, *answers], max_tokens=max_tokens)
    return tokenize_examples(tokenizer, prompts, answers, max_tokens=max_tokens), tokenizer


def _train_bare(model: Any, pad_token_id: int, examples: Sequence[TokenizedExample], schedule: ScheduleParams) -> float:
    """Train and return the seconds it took."""
    started = time.perf_counter()
    lengths = [len(example["input_ids"]) for example in examples]
    order = order_examples(lengths, steps=schedule.steps, batch_size=schedule.batch_size, seed=0)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=schedule.learning_rate,
        betas=(0.9, schedule.adam_beta2),
        weight_decay=schedule.weight_decay,
        fused=True,
    )
    for step in range(schedule.steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule.learning_rate * min(1.0, step / max(1, schedule.warmup_steps))
        chosen = order[step * schedule.batch_size : (step + 1) * schedule.batch_size]
        rows = [torch.tensor(examples[index]["input_ids"]) for index in chosen]
        labels = [torch.tensor(examples[index]["labels"]) for index in chosen]
        loss = model(
            input_ids=pad_sequence(rows, batch_first=True, padding_value=pad_token_id),
            attention_mask=pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
            labels=pad_sequence(labels, batch_first=True, padding_value=IGNORED_LABEL),
            use_cache=False,
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), schedule.max_gradient_norm)
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - started


def _check_same_weights(ours: torch.nn.Module, bare: torch.nn.Module) -> None:
    pairs = zip(ours.parameters(), bare.parameters(), strict=True)
    apart = max(float((one - two).detach().abs().max()) for one, two in pairs)
    if apart > TOLERANCE:
        raise RuntimeError(f"the two loops trained different models: a weight differs by {apart:.2g}")


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
