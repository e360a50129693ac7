"""Supervised training through TRL's ``SFTTrainer``: answer tokens only, full parameters, resumable."""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from card24_pipeline.checkpoints.manifest import MANIFEST
from card24_pipeline.checkpoints.writer import save_checkpoint
from card24_pipeline.evaluation.costs import count_training_flops
from card24_pipeline.models.tokenized import TokenizedExample
from card24_pipeline.parameters.base import Params
from card24_pipeline.training.ordering import order_examples
from card24_pipeline.training.trainer_states import find_trainer_state, read_trainer_step

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback
    from trl import SFTTrainer

logger = logging.getLogger(__name__)

_LOGGED = {
    "step": "step",
    "loss": "loss",
    "learning_rate": "learning_rate",
    "gradient_norm": "grad_norm",
    "token_accuracy": "mean_token_accuracy",
    "entropy_nats": "entropy",
}
_COSTS = ("trained_tokens", "training_flops")
HISTORY_COLUMNS = (*_LOGGED, *_COSTS)

_SCHEDULERS = {"constant": "constant_with_warmup", "annealed": "warmup_stable_decay", "cosine": "cosine"}


class ScheduleParams(Params):
    """Optimisation of one supervised run (AdamW).

    After its warm-up the learning rate stays (constant), stays and falls to 0 along a line over the last fifth of the
    steps (annealed), or falls along half a cosine.
    """

    steps: PositiveInt
    batch_size: PositiveInt
    micro_batch_size: PositiveInt
    learning_rate: PositiveFloat
    learning_rate_shape: Literal["constant", "annealed", "cosine"]
    warmup_steps: NonNegativeInt
    weight_decay: NonNegativeFloat
    adam_beta2: float = Field(gt=0, lt=1)
    max_gradient_norm: PositiveFloat
    resume_every_steps: PositiveInt
    log_every_steps: PositiveInt

    @model_validator(mode="after")
    def check_multiples(self) -> Self:
        """Check that micro-batches fill a batch, and that states are saved where a logging interval ends.

        A resumed run then logs what an unbroken one does.
        """
        for whole, part in (("batch_size", "micro_batch_size"), ("resume_every_steps", "log_every_steps")):
            if getattr(self, whole) % getattr(self, part):
                raise ValueError(f"{whole} {getattr(self, whole)} is no multiple of {part} {getattr(self, part)}")
        return self

    @model_validator(mode="after")
    def check_annealing(self) -> Self:
        """Check that an annealed learning rate is warm before it falls."""
        if self.learning_rate_shape == "annealed" and self.warmup_steps + self.annealed_steps > self.steps:
            raise ValueError(
                f"warmup_steps {self.warmup_steps} leaves no room for {self.annealed_steps} annealed steps of "
                f"{self.steps}"
            )
        return self

    @property
    def annealed_steps(self) -> int:
        """The last fifth of the steps, rounded up."""
        return -(-self.steps // 5)


@dataclass(frozen=True)
class TrainingRun:
    """What a run leaves behind: its history by step, and how many tokens this process trained in what time."""

    history: list[dict[str, float]]
    tokens: int
    wall_seconds: float

    def timings(self) -> dict[str, float]:
        """Return how fast the run went."""
        return {"wall_seconds": self.wall_seconds, "tokens_per_second": self.tokens / self.wall_seconds}


def train_language_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[TokenizedExample],
    schedule: ScheduleParams,
    *,
    save_steps: Sequence[int],
    seed: int,
    progress: Path,
) -> TrainingRun:
    """Train ``model`` in place, saving a checkpoint folder ``progress/step_<n>`` at each of ``save_steps``.

    Training state goes to ``progress/state`` every ``resume_every_steps``; when the folder holds one, training
    continues from it and ends with the same bytes as an unbroken run. The state goes when training is done.

    Args:
        model: Trained in float32 on its device, all parameters.
        tokenizer: Saved with every checkpoint; its pad token fills short rows.
        save_steps: Optimiser steps after which to save.
        seed: Order of the examples.
        progress: Private folder of this run.

    Raises:
        ValueError: If the save steps do not lie within the schedule.
        FloatingPointError: If the loss or gradient norm is not finite; the error names the step.
    """
    if not save_steps or max(save_steps) > schedule.steps or min(save_steps) < 1:
        raise ValueError(f"checkpoints at steps {list(save_steps)} do not lie within 1…{schedule.steps}")
    lengths = [len(example["input_ids"]) for example in examples]
    order = order_examples(lengths, steps=schedule.steps, batch_size=schedule.batch_size, seed=seed)
    costs = _count_costs(model, [lengths[index] for index in order], batch_size=schedule.batch_size)
    trainer = _build_trainer(model, tokenizer, examples, order, schedule, seed=seed, state=progress / "state")
    trainer.add_callback(_watch(tokenizer, frozenset(save_steps), progress))
    resume_from = find_trainer_state(progress / "state")
    if resume_from is not None:
        logger.info("Resuming from %s", resume_from.name)
    started = time.perf_counter()
    trainer.train(resume_from_checkpoint=None if resume_from is None else str(resume_from))
    shutil.rmtree(progress / "state", ignore_errors=True)
    return TrainingRun(
        history=_tidy_history(trainer.state.log_history, costs),
        tokens=costs[-1][0] - (0 if resume_from is None else costs[read_trainer_step(resume_from) - 1][0]),
        wall_seconds=time.perf_counter() - started,
    )


def _build_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[TokenizedExample],
    order: Sequence[int],
    schedule: ScheduleParams,
    *,
    seed: int,
    state: Path,
) -> SFTTrainer:
    """Hand the examples to TRL's trainer in their final order, with everything it need not do switched off."""
    from transformers import PrinterCallback
    from trl import SFTConfig

    from card24_pipeline.training.answer_trainer import AnswerTrainer, ShownExamples

    annealing = {"num_decay_steps": schedule.annealed_steps, "decay_type": "linear"}
    config = SFTConfig(
        output_dir=str(state),
        max_steps=schedule.steps,
        per_device_train_batch_size=schedule.micro_batch_size,
        gradient_accumulation_steps=schedule.batch_size // schedule.micro_batch_size,
        learning_rate=schedule.learning_rate,
        lr_scheduler_type=_SCHEDULERS[schedule.learning_rate_shape],
        lr_scheduler_kwargs=annealing if schedule.learning_rate_shape == "annealed" else None,
        warmup_steps=schedule.warmup_steps,
        weight_decay=schedule.weight_decay,
        adam_beta2=schedule.adam_beta2,
        max_grad_norm=schedule.max_gradient_norm,
        logging_steps=schedule.log_every_steps,
        save_steps=schedule.resume_every_steps,
        train_sampling_strategy="sequential",
        dataset_kwargs={"skip_prepare_dataset": True},
        logging_nan_inf_filter=False,
        seed=seed,
        use_cpu=model.device.type == "cpu",
        bf16=False,
        gradient_checkpointing=False,
        dataloader_pin_memory=False,
        report_to="none",
        disable_tqdm=True,
    )
    trainer = AnswerTrainer(ShownExamples(examples, order), model=model, args=config, processing_class=tokenizer)
    trainer.remove_callback(PrinterCallback)
    return trainer


def _watch(tokenizer: PreTrainedTokenizerBase, save_steps: frozenset[int], progress: Path) -> TrainerCallback:
    """Save a checkpoint folder after each step in ``save_steps``, stop at a loss that is not finite, and show a bar.

    The trainer's own bar also prints every logged figure.
    """
    from tqdm import tqdm
    from transformers import TrainerCallback

    class RunCallback(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            done, total = state.global_step, state.max_steps
            self.bar = tqdm(total=total, initial=done, desc="training", unit="step", mininterval=2.0)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            folder = progress / f"step_{state.global_step}"
            if state.global_step in save_steps and not (folder / MANIFEST).is_file():
                save_checkpoint(kwargs["model"], tokenizer, folder)
            self.bar.update(1)

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **kwargs: Any) -> None:
            for name in ("loss", "grad_norm"):
                if name in logs and not math.isfinite(float(logs[name])):
                    raise FloatingPointError(f"{name} is {logs[name]} at step {state.global_step}")
            if "loss" in logs:
                self.bar.set_postfix(loss=f"{float(logs['loss']):.3f}", refresh=False)

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.bar.close()

    return RunCallback()


def _count_costs(model: PreTrainedModel, lengths: Sequence[int], *, batch_size: int) -> list[tuple[int, int]]:
    """Return the tokens and the floating-point operations spent by the end of each step, padding left out."""
    batches = [lengths[start : start + batch_size] for start in range(0, len(lengths), batch_size)]
    flops = [count_training_flops(model, batch) for batch in batches]
    return list(zip(accumulate(map(sum, batches)), accumulate(flops), strict=True))


def _tidy_history(log_history: list[dict[str, Any]], costs: list[tuple[int, int]]) -> list[dict[str, float]]:
    """Keep what a training curve needs of the trainer's log, without any wall-clock figure."""
    return [
        {column: entry[key] for column, key in _LOGGED.items()}
        | dict(zip(_COSTS, costs[entry["step"] - 1], strict=True))
        for entry in log_history
        if "loss" in entry
    ]
