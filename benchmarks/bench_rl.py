"""Reinforcement learning beside its alternatives: `python -m benchmarks.bench_rl`."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml

from benchmarks import PROJECT
from benchmarks.bench_scoring import find_model
from card24_pipeline.pipelines.game.deal_eval_hands import deal_eval_hands
from card24_pipeline.pipelines.game.deal_rl_hands import deal_rl_hands
from card24_pipeline.pipelines.game.split_multisets import split_multisets
from card24_pipeline.pipelines.parameters import StudyParameters
from card24_pipeline.pipelines.rl.train_rl import build_hands
from card24_pipeline.training.group_relative import train_group_relative
from card24_pipeline.training.ppo import PpoTrainer, train_ppo
from card24_pipeline.training.rl_run import CardTask
from card24_pipeline.training.rl_settings import KlSettings, RlSettings
from card24_pipeline.training.rollouts import play_episodes

ROUNDS = 3
HANDS_AT_ONCE = 16  # played singly in a round: enough to time, few enough to wait for
SHORT_RUN, LONG_RUN = 2, 6  # updates; the difference of the two leaves out what a run does once
FREE = KlSettings(anchor="none", coefficient=0.0)


def measure() -> dict[str, float | str]:
    """Time rollouts, whole updates and their parts, in turns, and take medians.

    A whole update is, of our PPO, sampling, one evaluation of what was sampled and a step on each minibatch; of TRL's
    ``GRPOTrainer``, sampling and one step on all of it. Both sample as many answers of the same length limit.

    Returns:
        hands played per second in batches and singly; sampled answers per second of a whole update of each; the share
        of a PPO update spent outside module calls and backward passes (losses, masks, grading, optimiser steps).
    """
    study = StudyParameters.model_validate(yaml.safe_load((PROJECT / "params.yaml").read_text()))
    game = study.game
    multisets = split_multisets(game.rules, game.split)
    name, model, tokenizer = find_model(study, deal_eval_hands(multisets, game.rules, game.prompt, game.eval_hands))
    hands = deal_rl_hands(multisets, game.rules, game.prompt, game.rl_hands)
    # The table is sorted by multiset; what is played should be mixed.
    mixed = build_hands(hands.sample(frac=1.0, random_state=0))
    task = CardTask(mixed, game.prompt.layout, game.prompt.style, study.rl.rewards.to_table())
    one_try = study.rl.rollouts.model_copy(update={"max_tries": 1, "max_turns_per_update": None})
    rl = study.rl.model_copy(update={"rollouts": one_try, "algorithm": "ppo"})
    batched, single, ours, beside, outside = [], [], [], [], []
    for _ in range(ROUNDS):
        batched.append(_time_rollouts(model, tokenizer, task, rl, hands=one_try.hands_per_update))
        single.append(_time_rollouts(model, tokenizer, task, rl, hands=HANDS_AT_ONCE, batch_size=1))
        ours.append(_time_update(train_ppo, model, tokenizer, task, rl))
        beside.append(_time_update(train_group_relative, model, tokenizer, task, _with(rl, algorithm="grpo")))
        outside.append(_share_outside_passes(model, tokenizer, task, rl))
    return {
        "batched_rollouts_per_second": median(batched),
        "single_rollouts_per_second": median(single),
        "rollout_ratio": median(batched) / median(single),
        "ppo_answers_per_second": median(ours),
        "grpo_trainer_answers_per_second": median(beside),
        "update_ratio": median(ours) / median(beside),
        "share_outside_passes": median(outside),
        "model": name,
        "answers_per_update": float(one_try.hands_per_update),
    }


def _with(settings: RlSettings, **changes: Any) -> RlSettings:
    return settings.model_copy(update=changes)


def _time_rollouts(
    model: Any, tokenizer: Any, task: CardTask, settings: RlSettings, *, hands: int, batch_size: int | None = None
) -> float:
    """Return hands played per second."""
    rollouts = settings.rollouts.model_copy(update={"batch_size": batch_size or settings.rollouts.batch_size})
    generator = torch.Generator().manual_seed(0)
    play_episodes(model, tokenizer, task, task.hands[: rollouts.batch_size], rollouts, generator=generator)  # warm-up
    started = time.perf_counter()
    play_episodes(model, tokenizer, task, task.hands[:hands], rollouts, generator=generator)
    return hands / (time.perf_counter() - started)


def _time_update(train: Any, model: Any, tokenizer: Any, task: CardTask, settings: RlSettings) -> float:
    """Return answers per second of a whole update, without what a run does once; the model is put back afterwards."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    seconds = []
    for updates in (SHORT_RUN, LONG_RUN):
        with tempfile.TemporaryDirectory() as folder:
            chosen = _with(settings, updates=updates, resume_every_updates=LONG_RUN)
            started = time.perf_counter()
            train(model, tokenizer, task, chosen, kl=FREE, anchor=None, seed=0, progress=Path(folder))
            seconds.append(time.perf_counter() - started)
        model.load_state_dict(before)
    return (LONG_RUN - SHORT_RUN) * settings.rollouts.hands_per_update / (seconds[1] - seconds[0])


def _share_outside_passes(model: Any, tokenizer: Any, task: CardTask, settings: RlSettings) -> float:
    """Return the share of a PPO update's time in which no module and no backward pass runs."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trainer = PpoTrainer(model, tokenizer, task, settings, kl=FREE, anchor=None, seed=0)
    trainer.update(1)
    with _clock_passes() as inside:
        started = time.perf_counter()
        trainer.update(2)
        whole = time.perf_counter() - started
    model.load_state_dict(before)
    return 1 - sum(inside) / whole


@contextmanager
def _clock_passes() -> Iterator[list[float]]:
    """Collect the seconds of every outermost module call and every backward pass."""
    seconds: list[float] = []
    depth = 0
    call, backward = torch.nn.Module.__call__, torch.Tensor.backward

    def clocked(pass_: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            nonlocal depth
            depth += 1
            started = time.perf_counter()
            try:
                return pass_(*args, **kwargs)
            finally:
                depth -= 1
                if depth == 0:
                    seconds.append(time.perf_counter() - started)

        return run

    try:
        torch.nn.Module.__call__, torch.Tensor.backward = clocked(call), clocked(backward)  # type: ignore[method-assign]
        yield seconds
    finally:
        torch.nn.Module.__call__, torch.Tensor.backward = call, backward  # type: ignore[method-assign]


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
