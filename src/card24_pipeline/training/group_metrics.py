"""Figures of an update of GRPO or RLOO, for its row of the history: graded here, or logged by TRL."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from card24_pipeline.evaluation.costs import count_forward_flops, count_training_flops
from card24_pipeline.game.verdicts import Outcome
from card24_pipeline.training.rl_params import KlParams
from card24_pipeline.training.rl_run import HISTORY_COLUMNS, CardTask

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LOGGED = {
    "policy_loss": "loss",
    "entropy_nats": "entropy",
    "kl_anchor_nats": "kl",
    "clip_fraction": "clip_ratio/region_mean",
    "gradient_norm": "grad_norm",
    "learning_rate": "learning_rate",
}
_CUMULATIVE = ("hands", "rollout_tokens", "flops")


class AnswerRecorder:
    """Grades sampled answers and keeps the figures of each update."""

    def __init__(
        self, task: CardTask, prompt_tokens: Sequence[int], *, end: int, count_flops: Callable[[list[int]], int]
    ) -> None:
        """Start with nothing graded.

        Args:
            task: Hands and their judge.
            prompt_tokens: Tokens of each hand's prompt.
            end: The token that ends an answer.
            count_flops: Operations of one update on sequences of these lengths.
        """
        self.rows: list[dict[str, float]] = []
        self.update = 1
        self._task, self._prompt_tokens, self._end, self._count_flops = task, prompt_tokens, end, count_flops

    def grade(self, completions: list[str], completion_ids: list[list[int]], hand: list[int], **_: Any) -> list[float]:
        """Return the reward of each answer of an update, and keep a row of figures; TRL calls this once an update.

        Args:
            completions: The answers' texts, without special tokens.
            completion_ids: Their tokens, up to the end token or the length limit.
            hand: Index of each one's hand.

        Raises:
            RlError: If a reward is not finite; the error names the hand.
        """
        hands = self._task.hands
        judged = [self._task.judge(text, hands[index]) for text, index in zip(completions, hand, strict=True)]
        outcomes = [verdict.outcome for verdict, _ in judged]
        rewards = [reward for _, reward in judged]
        count, tokens = len(rewards), [len(ids) for ids in completion_ids]
        lengths = [self._prompt_tokens[index] + new for index, new in zip(hand, tokens, strict=True)]
        self.rows.append(
            {
                "reward": sum(rewards) / count,
                "success": sum(verdict.is_correct for verdict, _ in judged) / count,
                **{f"share_{kind.value}": outcomes.count(kind) / count for kind in Outcome},
                "turns": 1.0,
                "answer_tokens": sum(tokens) / count,
                "cut_share": sum(self._end not in ids for ids in completion_ids) / count,
                "hands": count,
                "rollout_tokens": sum(tokens),
                "flops": self._count_flops(lengths),
            }
        )
        return rewards

    def save(self, folder: Path) -> None:
        """Write the rows so far beside TRL's states; the file is whole or absent."""
        folder.mkdir(parents=True, exist_ok=True)
        staged = folder / "updates.json.partial"
        staged.write_text(json.dumps(self.rows))
        os.replace(staged, folder / "updates.json")

    def load(self, folder: Path, *, updates: int) -> None:
        """Take up the rows of the first ``updates`` updates; those that came after the state are played again."""
        self.rows = json.loads((folder / "updates.json").read_text())[:updates]


def count_update_flops(
    model: PreTrainedModel, lengths: Sequence[int], *, epochs: int, reads_old: bool, anchored: bool
) -> int:
    """Count one update's operations: sampling, the passes that TRL holds fixed, and every epoch of training.

    Args:
        model: The policy.
        lengths: Tokens of each prompt with its answer.
        epochs: How often the update is trained on.
        reads_old: Whether the old policy is evaluated anew.
        anchored: Whether an anchor is evaluated.
    """
    forward = (1 + reads_old + anchored) * count_forward_flops(model, lengths)
    return forward + epochs * count_training_flops(model, lengths)


def tidy_history(
    rows: Sequence[dict[str, float]], log_history: Sequence[dict[str, Any]], *, epochs: int, kl: KlParams
) -> list[dict[str, float]]:
    """Join the recorder's rows with what TRL logged at each optimiser step, averaged over the update's steps."""
    steps = [entry for entry in log_history if "loss" in entry]
    totals: dict[str, float] = dict.fromkeys(_CUMULATIVE, 0)
    history = []
    for number, row in enumerate(rows, start=1):
        logged = steps[(number - 1) * epochs : number * epochs]
        totals = {name: totals[name] + row[name] for name in _CUMULATIVE}
        figures = {column: _mean([entry[key] for entry in logged if key in entry]) for column, key in _LOGGED.items()}
        if kl.anchor == "start":
            figures["kl_start_nats"] = figures["kl_anchor_nats"]
        figures |= {"update": number, **row, **totals}
        history.append({column: figures.get(column, math.nan) for column in HISTORY_COLUMNS})
    return history


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
