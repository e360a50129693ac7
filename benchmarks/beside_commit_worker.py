"""The one side of `benchmarks.beside_commit`: runs whichever package Python finds, and times what it is told to."""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from card24_pipeline.evaluation.costs import count_forward_flops, count_training_flops
from card24_pipeline.evaluation.generation import generate_answers
from card24_pipeline.models.from_scratch import ArchitectureParams, build_llama
from card24_pipeline.models.tokenized import tokenize_examples
from card24_pipeline.models.tokenizer import build_word_tokenizer
from card24_pipeline.training import ppo
from card24_pipeline.training.language_modelling import ScheduleParams, train_language_model
from card24_pipeline.training.ordering import order_examples
from card24_pipeline.training.rl_params import KlParams, RlParams
from card24_pipeline.training.rl_run import CardTask, Hand, RlRun, RlSetup

LEARNT_STEPS = 60  # enough for answers that end
STEPS = 20
UPDATES = 3


def main() -> None:
    torch.set_num_threads(1)
    job = json.loads(Path(sys.argv[1]).read_text())
    kinds: dict[str, Callable[[dict[str, Any]], Sft | Ppo | Scoring]] = {"sft": Sft, "ppo": Ppo, "scoring": Scoring}
    sides: dict[str, Sft | Ppo | Scoring] = {}
    for line in sys.stdin:
        part = line.strip()
        if part not in sides:
            sides[part] = kinds[part](job)
        print(json.dumps(sides[part].time() | {"peak_flop_per_second": measure_peak()}), flush=True)


class Sft:
    """Supervised steps of a fresh model."""

    def __init__(self, job: dict[str, Any]) -> None:
        architecture = ArchitectureParams.model_validate(job["architecture"])
        texts = [*job["prompts"], *job["answers"], *(hand["prompt"] for hand in job["hands"])]
        self.tokenizer = build_word_tokenizer(texts, max_tokens=architecture.max_tokens)
        self.architecture, self.schedule = architecture, ScheduleParams.model_validate(job["schedule"])
        self.examples = tokenize_examples(
            self.tokenizer, job["prompts"], job["answers"], max_tokens=architecture.max_tokens
        )

    def train(self, steps: int, **changes: Any) -> Any:
        """Return the model after some steps."""
        model = build_llama(self.architecture, self.tokenizer, seed=0).train()
        schedule = self.schedule.model_copy(update={"steps": steps} | changes)
        with tempfile.TemporaryDirectory() as folder:
            train_language_model(
                model, self.tokenizer, self.examples, schedule, save_steps=[steps], seed=0, progress=Path(folder)
            )
        return model

    def time(self) -> dict[str, float]:
        """Return steps per second, without what a run does once."""
        clocks = [_clock(partial(self.train, steps)) for steps in (2, 2 + STEPS)]
        wall, processor = (clocks[1][clock] - clocks[0][clock] for clock in (0, 1))
        lengths = [len(example["input_ids"]) for example in self.examples]
        order = order_examples(lengths, steps=2 + STEPS, batch_size=self.schedule.batch_size, seed=0)
        shown = [lengths[index] for index in order[2 * self.schedule.batch_size :]]
        flops = count_training_flops(build_llama(self.architecture, self.tokenizer, seed=0), shown)
        rates = {"steps_per_second": STEPS / wall, "steps_per_cpu_second": STEPS / processor}
        return rates | {"flop_per_cpu_second": flops / processor}


class Ppo:
    """Updates of a model that has learnt what answers look like."""

    def __init__(self, job: dict[str, Any]) -> None:
        sft = Sft(job)
        self.model, self.tokenizer = sft.train(LEARNT_STEPS, learning_rate=0.002).eval(), sft.tokenizer
        self.settings = RlParams.model_validate(job["rl"])
        hands = [
            Hand(number, str(hand["cards"]), hand["prompt"], tuple(hand["values"]), hand["target"])
            for number, hand in enumerate(job["hands"])
        ]
        self.task = CardTask(hands, job["layout"], job["style"], self.settings.rewards)
        self.start = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def train(self, updates: int) -> RlRun:
        """Run from the same weights each time."""
        self.model.load_state_dict(self.start)
        settings = self.settings.model_copy(update={"updates": updates, "resume_every_updates": updates})
        free = KlParams(anchor="none", coefficient=0.0)
        with tempfile.TemporaryDirectory() as folder:
            setup = RlSetup(self.model, self.tokenizer, self.task, settings, free, None, 0)
            return ppo.train(setup, Path(folder))

    def time(self) -> dict[str, float]:
        """Return hands per second, and the share of each part of an update."""
        runs: list[RlRun] = []
        wall, processor = _clock(lambda: runs.append(self.train(UPDATES)))
        hands, (run,) = UPDATES * self.settings.rollouts.hands_per_update, runs
        rates = {"hands_per_second": hands / wall, "hands_per_cpu_second": hands / processor}
        seconds = {name: value for name, value in run.timings.items() if name.endswith("_seconds")}
        return {**rates, **seconds, "flop_per_cpu_second": run.history[-1]["flops"] / processor}


class Scoring:
    """Greedy answers to every hand of a model that has learnt what answers look like."""

    def __init__(self, job: dict[str, Any]) -> None:
        sft = Sft(job)
        self.model, self.tokenizer = sft.train(LEARNT_STEPS, learning_rate=0.002).eval(), sft.tokenizer
        self.prompts, self.scoring = [hand["prompt"] for hand in job["hands"]], job["scoring"]

    def time(self) -> dict[str, float]:
        """Return hands per second."""
        answers: list[Any] = []

        def answer() -> None:
            limits = {name: self.scoring[name] for name in ("max_new_tokens", "batch_size")}
            answers.extend(generate_answers(self.model, self.tokenizer, self.prompts, **limits, description="scoring"))

        wall, processor = _clock(answer)
        flops = count_forward_flops(self.model, [each.prompt_tokens + each.answer_tokens for each in answers])
        rates = {"hands_per_second": len(answers) / wall, "hands_per_cpu_second": len(answers) / processor}
        return rates | {"flop_per_cpu_second": flops / processor}


def measure_peak() -> float:
    """Return the operations per second of a large float32 product, the best of a few."""
    left, right = torch.randn(2, 1536, 1536).unbind()
    best = min(_clock(lambda: left @ right)[1] for _ in range(5))
    return 2 * 1536**3 / best


def _clock(run: Callable[[], Any]) -> tuple[float, float]:
    started = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - started[0], time.process_time() - started[1]


if __name__ == "__main__":
    main()
