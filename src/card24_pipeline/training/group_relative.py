"""Reinforcement learning through TRL's ``GRPOTrainer`` and ``RLOOTrainer``: answers to one hand judge each other.

An update samples ``hands_per_update`` answers, ``answers_per_hand`` to each hand, and takes one optimiser step on all
of them in each of its epochs. TRL does the learning; hands, grading, learning rate, reference model, figures and costs
are those of the other algorithms.
"""

from __future__ import annotations

import copy
import logging
import math
import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from card24_pipeline.evaluation.costs import count_forward_flops, count_training_flops
from card24_pipeline.training.answer_recorder import AnswerRecorder
from card24_pipeline.training.ordering import order_examples
from card24_pipeline.training.rl_params import KlParams
from card24_pipeline.training.rl_run import RlError, RlRun, RlSetup, add_to_history
from card24_pipeline.training.rollouts import check_hands
from card24_pipeline.training.trainer_states import WholeStates, find_trainer_state, read_trainer_step

if TYPE_CHECKING:
    from tqdm import tqdm
    from transformers import PreTrainedModel, TrainerCallback
    from trl import GRPOTrainer, RLOOTrainer

logger = logging.getLogger(__name__)

_LOGGED = {
    "policy_loss": "loss",
    "entropy_nats": "entropy",
    "kl_anchor_nats": "kl",
    "clip_fraction": "clip_ratio/region_mean",
    "gradient_norm": "grad_norm",
    "learning_rate": "learning_rate",
}


@dataclass(frozen=True)
class GroupAlgorithm:
    """An algorithm of TRL: ``<name>Trainer`` with ``<name>Config``, and settings that no other algorithm has.

    ``always_reads_old`` says whether it evaluates the old policy even where there is one epoch.
    """

    name: str
    config: Mapping[str, Any]
    always_reads_old: bool = False


def train_group_relative(setup: RlSetup, progress: Path, *, algorithm: GroupAlgorithm) -> RlRun:
    """Train by one of the two, see ``Trainer``; the state goes when training is done.

    The weight of ``kl`` is in each algorithm's own units: GRPO adds the KL of a token, in nats, to the token's loss;
    RLOO takes the log-ratio of a whole answer off its reward. ``policy_loss`` is the loss that TRL logs, which has
    GRPO's KL in it; averages are over micro-batches. ``rollouts.batch_size`` has no effect: TRL samples all answers of
    an update side by side. TRL evaluates answers without position ids; where prompts of one update differ in length,
    that is right for rotary positions and wrong for learned ones.
    """
    from tqdm import tqdm

    model, settings, kl = setup.model, setup.settings, setup.kl
    epochs, state = settings.group.epochs, progress / "state"
    # Sampling, the passes that TRL holds fixed (of the old policy and an anchor), and every epoch of training.
    passes = 1 + (algorithm.always_reads_old or epochs > 1) + (kl.coefficient > 0)

    def count_flops(lengths: list[int]) -> int:
        return passes * count_forward_flops(model, lengths) + epochs * count_training_flops(model, lengths)

    prompts = check_hands(model, setup.tokenizer, setup.task, settings.rollouts)
    recorder = AnswerRecorder(setup.task, prompts, end=setup.tokenizer.eos_token_id, count_flops=count_flops)
    resume_from, resumed_at = find_trainer_state(state), 0
    if resume_from is not None:
        resumed_at = read_trainer_step(resume_from) // epochs
        logger.info("Resuming after update %d", resumed_at)
        recorder.load(state, updates=resumed_at)
    bar = tqdm(total=settings.updates, initial=resumed_at, desc=algorithm.name, unit="update", mininterval=2.0)
    with _own_chance(), bar:
        trainer = _build_trainer(setup, recorder, algorithm, state=state)
        if setup.anchor is not None and kl.coefficient:
            _set_reference(trainer, setup.anchor, setup)
        trainer.add_callback(_watch(recorder, bar, folder=state, epochs=epochs))
        started = time.perf_counter()
        _train(trainer, recorder, state=state, resume_from=resume_from)
        seconds = time.perf_counter() - started
    shutil.rmtree(state, ignore_errors=True)
    hands = (settings.updates - resumed_at) * settings.rollouts.hands_per_update
    history = _tidy_history(recorder.rows, trainer.state.log_history, epochs=epochs, kl=kl)
    return RlRun(history, {"wall_seconds": seconds, "hands_per_second": hands / seconds})


def _tidy_history(
    rows: Sequence[dict[str, float]], log_history: Sequence[dict[str, Any]], *, epochs: int, kl: KlParams
) -> list[dict[str, float]]:
    """Join the recorder's rows with what TRL logged at each optimiser step, averaged over the update's steps."""
    steps = [entry for entry in log_history if "loss" in entry]
    history: list[dict[str, float]] = []
    for number, row in enumerate(rows, start=1):
        figures = {"update": number, **row}
        for column, key in _LOGGED.items():
            logged = [entry[key] for entry in steps[(number - 1) * epochs : number * epochs] if key in entry]
            figures[column] = sum(logged) / len(logged) if logged else math.nan
        if kl.anchor == "start":
            figures["kl_start_nats"] = figures["kl_anchor_nats"]
        add_to_history(history, figures)
    return history


def _build_trainer(
    setup: RlSetup, recorder: AnswerRecorder, algorithm: GroupAlgorithm, *, state: Path
) -> GRPOTrainer | RLOOTrainer:
    """Hand the hands to TRL's trainer in their final order, with everything it need not do switched off."""
    import torch
    import trl
    from datasets import Dataset
    from transformers import PrinterCallback

    settings, hands = setup.settings, setup.task.hands
    per_update = settings.rollouts.hands_per_update // settings.group.answers_per_hand
    order = order_examples([1] * len(hands), steps=settings.updates, batch_size=per_update, seed=setup.seed)
    rows = Dataset.from_list([{"prompt": hand.prompt, "hand": index} for index, hand in enumerate(hands)])
    chosen, epochs = settings.optimiser, settings.group.epochs
    adam = {"betas": (0.9, chosen.adam_beta2), "weight_decay": chosen.weight_decay, "fused": True}
    optimiser = torch.optim.AdamW(setup.model.parameters(), lr=chosen.learning_rate, **adam)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: chosen.share(step // epochs + 1, updates=settings.updates)
    )
    base: Any = getattr(trl, f"{algorithm.name}Trainer")

    class CardTrainer(WholeStates, base):
        """Reads prompts as scoring does and leaves the network and cards alone."""

        def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
            return self.processing_class(prompts, add_special_tokens=False)["input_ids"], None, {}

        def _send_telemetry(self) -> None:
            """Tell nobody."""

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """Write none: a training state has no reader."""

    config: Any = getattr(trl, f"{algorithm.name}Config")
    trainer = CardTrainer(
        model=setup.model,
        reward_funcs=recorder.grade,
        args=config(**_configure(setup, state=state), **algorithm.config),
        train_dataset=rows.select(order),
        processing_class=setup.tokenizer,
        optimizers=(optimiser, schedule),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _configure(setup: RlSetup, *, state: Path) -> dict[str, Any]:
    """Translate settings into TRL's; updates become optimiser steps, ``epochs`` to one."""
    settings, rollouts, group = setup.settings, setup.settings.rollouts, setup.settings.group
    return {
        "output_dir": str(state),
        "max_steps": settings.updates * group.epochs,
        "per_device_train_batch_size": group.micro_batch_size,
        "gradient_accumulation_steps": rollouts.hands_per_update // group.micro_batch_size,
        "generation_batch_size": rollouts.hands_per_update,
        "num_generations": group.answers_per_hand,
        "num_iterations": group.epochs,
        "max_completion_length": rollouts.max_new_tokens,
        "temperature": rollouts.temperature,
        "top_k": 0,
        "top_p": 1.0,
        "repetition_penalty": 1.0,
        "mask_truncated_completions": False,
        "epsilon": group.clip_range,
        "beta": 0.0,  # with a weight, TRL would open the folder that the policy came from; see _set_reference
        "disable_dropout": True,  # what is sampled is what is trained
        "shuffle_dataset": False,
        "max_grad_norm": settings.optimiser.max_gradient_norm,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_steps": settings.resume_every_updates * group.epochs,
        "seed": setup.seed,
        "use_cpu": setup.model.device.type == "cpu",
        "bf16": False,
        "gradient_checkpointing": False,
        "use_vllm": False,
        "dataloader_pin_memory": False,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _set_reference(trainer: GRPOTrainer | RLOOTrainer, anchor: PreTrainedModel, setup: RlSetup) -> None:
    """Give the trainer a copy of the anchor as its reference, prepared as TRL prepares one of its own."""
    from trl.trainer.utils import add_fused_lm_head

    reference = copy.deepcopy(anchor).eval()
    add_fused_lm_head(reference, temperature=setup.settings.rollouts.temperature)
    trainer.beta = setup.kl.coefficient
    trainer.ref_model = trainer.accelerator.prepare_model(reference, evaluation_mode=True)


def _watch(recorder: AnswerRecorder, bar: tqdm[Any], *, folder: Path, epochs: int) -> TrainerCallback:
    """Show updates done, save the recorder with every state, and stop at a figure that is not finite."""
    from transformers import TrainerCallback

    class RunCallback(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            recorder.update = state.global_step // epochs + 1

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if control.should_save:  # before TRL's state, so that a whole state always finds its rows
                recorder.save(folder)
            if state.global_step % epochs == 0:
                last = recorder.rows[-1]
                bar.set_postfix(reward=f"{last['reward']:.2f}", success=f"{last['success']:.0%}", refresh=False)
                bar.update()

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **kwargs: Any) -> None:
            for name in ("loss", "grad_norm", "kl"):
                # TRL logs NaN as None, and RLOO would silently learn nothing from a KL like that.
                figure = math.nan if logs.get(name, 0.0) is None else float(logs.get(name, 0.0))
                if not math.isfinite(figure):
                    raise RlError(f"{name} is {figure}")

    return RunCallback()


def _train(
    trainer: GRPOTrainer | RLOOTrainer, recorder: AnswerRecorder, *, state: Path, resume_from: Path | None
) -> None:
    """Train, tell of an error where it happened, and give the model back as it was but for its weights."""
    try:
        trainer.train(resume_from_checkpoint=None if resume_from is None else str(resume_from))
    except (RlError, RuntimeError) as error:
        sampling = "probability tensor contains" in str(error)  # what torch says on sampling from logits like NaN
        if not isinstance(error, RlError) and not sampling:
            raise
        what = "the policy's logits are not finite" if sampling else str(error)
        last = find_trainer_state(state)
        where = "the checkpoint that the run started from" if last is None else str(last)
        raise RlError(f"update {recorder.update}: {what}; the last good state is {where}") from error
    finally:
        vars(trainer.model).pop("forward", None)  # TRL's own, which computes log-probabilities by pieces
        trainer.model.eval()


@contextmanager
def _own_chance() -> Iterator[None]:
    """Leave the global random states as they were found; the trainer seeds and uses them."""
    import torch

    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])
