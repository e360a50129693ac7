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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from card24_pipeline.training.group_metrics import AnswerRecorder, count_update_flops, tidy_history
from card24_pipeline.training.learning_rate import learning_rate_share
from card24_pipeline.training.ordering import order_examples
from card24_pipeline.training.rl_run import CardTask, RlError, RlRun
from card24_pipeline.training.rl_settings import KlSettings, RlSettings
from card24_pipeline.training.rollouts import check_hands

if TYPE_CHECKING:
    from tqdm import tqdm
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
    from trl import GRPOTrainer, RLOOTrainer

logger = logging.getLogger(__name__)


def train_group_relative(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: CardTask,
    settings: RlSettings,
    *,
    kl: KlSettings,
    anchor: PreTrainedModel | None,
    seed: int,
    progress: Path,
) -> RlRun:
    """Train ``model`` in place on the CPU by GRPO (arXiv 2402.03300) or RLOO (arXiv 2402.14740).

    Training state goes to ``progress/state`` every ``resume_every_updates``; when the folder holds one, training
    continues from it and ends with the same bytes as an unbroken run. The state goes when training is done.

    The weight of ``kl`` is in each algorithm's own units: GRPO adds the KL of a token, in nats, to the token's loss;
    RLOO takes the log-ratio of a whole answer off its reward. ``policy_loss`` is the loss that TRL logs, which has
    GRPO's KL in it; averages are over micro-batches. ``rollouts.batch_size`` has no effect: TRL samples all answers of
    an update side by side. TRL evaluates answers without position ids; where prompts of one update differ in length,
    that is right for rotary positions and wrong for learned ones.

    Args:
        model: The policy, float32, all parameters trained.
        tokenizer: Its tokenizer.
        task: Hands, their judge and rewards.
        settings: Rollouts, optimisation and the settings of group-relative algorithms.
        kl: Weight of the KL penalty toward ``anchor``.
        anchor: A model of the same vocabulary that is not trained, or None.
        seed: Order of the hands, and what is sampled.
        progress: Private folder of this run.

    Raises:
        ValueError: If the algorithm is another, there are no hands, a hand does not fit into the model's context, or
            ``kl`` wants an anchor that was not given.
        RlError: If a reward, loss, logit or gradient is not finite; the error names update and last good state.
    """
    from tqdm import tqdm

    prompt_tokens = _check_run(model, tokenizer, task, settings, kl=kl, anchor=anchor)
    state = progress / "state"
    resume_from = _find_resumable_state(state)
    resumed_at = 0 if resume_from is None else _read_step(resume_from) // settings.group.epochs
    recorder = AnswerRecorder(
        task,
        prompt_tokens,
        end=tokenizer.eos_token_id,
        count_flops=lambda lengths: count_update_flops(model, lengths, settings, kl),
    )
    if resume_from is not None:
        logger.info("Resuming after update %d", resumed_at)
        recorder.load(state, updates=resumed_at)
    bar = tqdm(
        total=settings.updates, initial=resumed_at, desc=settings.algorithm.upper(), unit="update", mininterval=2.0
    )
    with _own_chance(), bar:
        trainer = _build_trainer(model, tokenizer, task, settings, recorder, seed=seed, state=state)
        if anchor is not None and kl.coefficient:
            _set_reference(trainer, anchor, kl, temperature=settings.rollouts.temperature)
        trainer.add_callback(_watch(recorder, bar, folder=state, epochs=settings.group.epochs))
        started = time.perf_counter()
        _train(trainer, recorder, state=state, resume_from=resume_from)
        seconds = time.perf_counter() - started
    shutil.rmtree(state, ignore_errors=True)
    hands = (settings.updates - resumed_at) * settings.rollouts.hands_per_update
    history = tidy_history(recorder.rows, trainer.state.log_history, epochs=settings.group.epochs, kl=kl)
    return RlRun(history, {"wall_seconds": seconds, "hands_per_second": hands / seconds})


def _check_run(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: CardTask,
    settings: RlSettings,
    *,
    kl: KlSettings,
    anchor: PreTrainedModel | None,
) -> list[int]:
    """Check what can be checked before any work, and return the tokens of each hand's prompt."""
    if settings.algorithm == "ppo":
        raise ValueError("'ppo' is not group-relative: expected 'grpo' or 'rloo'")
    if kl.anchor != "none" and anchor is None:
        raise ValueError(f"a KL penalty toward '{kl.anchor}' needs that model")
    return check_hands(model, tokenizer, task, settings.rollouts)


def _build_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: CardTask,
    settings: RlSettings,
    recorder: AnswerRecorder,
    *,
    seed: int,
    state: Path,
) -> GRPOTrainer | RLOOTrainer:
    """Hand the hands to TRL's trainer in their final order, with everything it need not do switched off."""
    import torch
    from datasets import Dataset
    from transformers import PrinterCallback

    per_update = settings.rollouts.hands_per_update // settings.group.answers_per_hand
    order = order_examples([1] * len(task.hands), steps=settings.updates, batch_size=per_update, seed=seed)
    hands = Dataset.from_list([{"prompt": hand.prompt, "hand": index} for index, hand in enumerate(task.hands)])
    chosen, epochs = settings.optimiser, settings.group.epochs
    optimiser = torch.optim.AdamW(
        model.parameters(),
        lr=chosen.learning_rate,
        betas=(0.9, chosen.adam_beta2),
        weight_decay=chosen.weight_decay,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: learning_rate_share(step // epochs + 1, chosen, updates=settings.updates)
    )
    trainer = _adapt_trainer(settings)(
        model=model,
        reward_funcs=recorder.grade,
        args=_configure(settings, seed=seed, state=state),
        train_dataset=hands.select(order),
        processing_class=tokenizer,
        optimizers=(optimiser, schedule),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _adapt_trainer(settings: RlSettings) -> type:
    """Return the algorithm's trainer, which reads prompts as scoring does and leaves the network and cards alone."""
    from trl import GRPOTrainer, RLOOTrainer

    base: Any = {"grpo": GRPOTrainer, "rloo": RLOOTrainer}[settings.algorithm]

    class CardTrainer(base):
        def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
            return self.processing_class(prompts, add_special_tokens=False)["input_ids"], None, {}

        def _send_telemetry(self) -> None:
            """Tell nobody."""

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """Write none: a training state has no reader."""

    return CardTrainer


def _configure(settings: RlSettings, *, seed: int, state: Path) -> Any:
    """Translate settings into TRL's; updates become optimiser steps, ``epochs`` to one."""
    from trl import GRPOConfig, RLOOConfig

    rollouts, group = settings.rollouts, settings.group
    shared: dict[str, Any] = {
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
        "save_total_limit": 1,
        "seed": seed,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "use_vllm": False,
        "dataloader_pin_memory": False,
        "report_to": "none",
        "disable_tqdm": True,
    }
    if settings.algorithm == "rloo":
        return RLOOConfig(**shared, normalize_advantages=False)  # as published
    # As in our PPO, every token weighs the same (a mean over each answer would favour short right and long wrong ones)
    # and advantages are scaled over the update: a deviation of the group's own would make easy and hard hands loudest.
    return GRPOConfig(**shared, loss_type="dapo", scale_rewards="batch", use_bias_correction_kl=True)


def _set_reference(
    trainer: GRPOTrainer | RLOOTrainer, anchor: PreTrainedModel, kl: KlSettings, *, temperature: float
) -> None:
    """Give the trainer a copy of the anchor as its reference, prepared as TRL prepares one of its own."""
    from trl.trainer.utils import add_fused_lm_head

    reference = copy.deepcopy(anchor).eval()
    add_fused_lm_head(reference, temperature=temperature)
    trainer.beta = kl.coefficient
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
        last = _find_resumable_state(state)
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


def _find_resumable_state(state: Path) -> Path | None:
    """Return the newest whole training state: ``trainer_state.json`` is the last file that a state gets."""
    whole = [path.parent for path in state.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=_read_step, default=None)


def _read_step(state: Path) -> int:
    """Return the optimiser step after which a training state was saved."""
    return int(state.name.rpartition("-")[2])
