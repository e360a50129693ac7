"""Reinforcement learning beside its alternatives: `python -m benchmarks.bench_rl`."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.default_study import deal_hands, find_model, read_params
from card24_pipeline.pipelines.game.deal_rl_hands import deal_rl_hands
from card24_pipeline.pipelines.rl.train_rl import build_hands
from card24_pipeline.training import grpo, ppo
from card24_pipeline.training.rl_params import KlParams
from card24_pipeline.training.rl_run import CardTask, RlSetup, Trainer
from card24_pipeline.training.rollouts import Episode, play_episodes

ROUNDS = 3
HANDS_AT_ONCE = 16  # played singly in a round: enough to time, few enough to wait for
SHORT_RUN, LONG_RUN = 2, 6  # updates; the difference of the two leaves out what a run does once
FREE = KlParams(anchor="none", coefficient=0.0)


def measure() -> dict[str, float | str]:
    """Time rollouts, whole updates and their parts, in turns, and take medians.

    A whole update is, of our PPO, sampling and a step on each minibatch; of TRL's ``GRPOTrainer``, sampling and one
    step on all of it. Both sample as many answers of the same length limit. Beside it PPO reads once more what was
    sampled, for the values that the sampler saw.

    Returns:
        hands played per second in batches and singly; sampled answers per second of a whole update of each; the share
        of a PPO update spent outside module calls and backward passes (losses, masks, grading, optimiser steps).
    """
    study = read_params()
    game = study.game
    multisets, dealt = deal_hands(study)
    name, model, tokenizer = find_model(study, dealt)
    hands = deal_rl_hands(multisets, game.rules, game.prompt, game.rl_hands)
    # The table is sorted by multiset; what is played should be mixed.
    mixed = build_hands(hands.sample(frac=1.0, random_state=0))
    task = CardTask(mixed, game.prompt.layout, game.prompt.style, study.rl.rewards)
    rl = study.rl.lay_over({"rollouts": {"max_tries": 1, "max_turns_per_update": None}})
    setup, answers = RlSetup(model, tokenizer, task, rl, FREE, None, seed=0), rl.rollouts.hands_per_update
    batched, single, ours, evaluating, beside, outside = [], [], [], [], [], []
    for _ in range(ROUNDS):
        batched.append(_time_rollouts(setup, answers, rl.rollouts.batch_size))
        single.append(_time_rollouts(setup, HANDS_AT_ONCE, batch_size=1))
        ours.append(_time_update(ppo.train, setup))
        with patch.object(ppo, "play_episodes", _play_unseen):
            evaluating.append(_time_update(ppo.train, setup))
        beside.append(_time_update(grpo.train, setup))
        outside.append(_share_outside_passes(setup))
    return {
        "batched_rollouts_per_second": median(batched),
        "single_rollouts_per_second": median(single),
        "rollout_ratio": median(batched) / median(single),
        "ppo_answers_per_second": median(ours),
        "grpo_trainer_answers_per_second": median(beside),
        "evaluating_ppo_answers_per_second": median(evaluating),
        "update_ratio": median(ours) / median(beside),
        "one_pass_ratio": median(ours) / median(evaluating),
        "share_outside_passes": median(outside),
        "model": name,
        "answers_per_update": float(answers),
    }


def _time_rollouts(setup: RlSetup, hands: int, batch_size: int) -> float:
    """Return hands played per second."""
    rollouts = setup.settings.rollouts.model_copy(update={"batch_size": batch_size})
    generator = torch.Generator().manual_seed(0)
    play = (setup.model, setup.tokenizer, setup.task)
    play_episodes(*play, setup.task.hands[:batch_size], rollouts, generator=generator)  # warm-up
    started = time.perf_counter()
    play_episodes(*play, setup.task.hands[:hands], rollouts, generator=generator)
    return hands / (time.perf_counter() - started)


def _time_update(train: Trainer, setup: RlSetup) -> float:
    """Return answers per second of a whole update, without what a run does once; the model is put back afterwards."""
    seconds = []
    for updates in (SHORT_RUN, LONG_RUN):
        chosen = setup.settings.model_copy(update={"updates": updates, "resume_every_updates": LONG_RUN})
        with tempfile.TemporaryDirectory() as folder, _put_back(setup.model):
            started = time.perf_counter()
            train(replace(setup, settings=chosen), Path(folder))
            seconds.append(time.perf_counter() - started)
    return (LONG_RUN - SHORT_RUN) * setup.settings.rollouts.hands_per_update / (seconds[1] - seconds[0])


def _play_unseen(*args: Any, value_head: Any, **kwargs: Any) -> list[Episode]:
    """Play without a look at values."""
    return play_episodes(*args, **kwargs)


def _share_outside_passes(setup: RlSetup) -> float:
    """Return the share of a PPO update's time in which no module and no backward pass runs."""
    with _put_back(setup.model):
        trainer = ppo.PpoTrainer(setup)
        trainer.update(1)
        with _clock_passes() as inside:
            started = time.perf_counter()
            trainer.update(2)
            whole = time.perf_counter() - started
    return 1 - sum(inside) / whole


@contextmanager
def _put_back(model: Any) -> Iterator[None]:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    yield
    model.load_state_dict(before)


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
        torch.nn.Module.__call__, torch.Tensor.backward = clocked(call), clocked(backward)
        yield seconds
    finally:
        torch.nn.Module.__call__, torch.Tensor.backward = call, backward


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
