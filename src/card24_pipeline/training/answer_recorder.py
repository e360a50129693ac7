"""What TRL's trainers ask for: rewards of the answers that they sampled, with the figures of each update."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from card24_pipeline.training.rl_run import CardTask
from card24_pipeline.training.rollouts import Episode, describe_episodes
from card24_pipeline.training.sampler import SampledAnswer


class AnswerRecorder:
    """Grades sampled answers and keeps the figures of each update."""

    def __init__(
        self, task: CardTask, prompts: Sequence[list[int]], *, end: int, count_flops: Callable[[list[int]], int]
    ) -> None:
        """Take hands with their prompts' token ids, the token that ends an answer, and the cost of an update."""
        self.rows: list[dict[str, float]] = []
        self.update = 1
        self._task, self._prompts, self._end, self._count_flops = task, prompts, end, count_flops

    def grade(self, completions: list[str], completion_ids: list[list[int]], hand: list[int], **_: Any) -> list[float]:
        """Return the reward of each answer of an update, and keep a row of figures; TRL calls this once an update.

        Args:
            completions: The answers' texts, without special tokens.
            completion_ids: Their tokens, up to the end token or the length limit.
            hand: Index of each one's hand.
        """
        episodes = []
        for text, ids, index in zip(completions, completion_ids, hand, strict=True):
            prompt = self._prompts[index]
            episode = Episode(self._task.hands[index], list(prompt), [-1] * len(prompt))
            episode.add_turn(SampledAnswer(ids, [], cut=self._end not in ids), text, self._task)
            episodes.append(episode)
        flops = self._count_flops([len(episode.ids) for episode in episodes])
        self.rows.append(describe_episodes(episodes) | {"flops": flops})
        return [reward for episode in episodes for reward in episode.rewards]

    def save(self, folder: Path) -> None:
        """Write the rows so far beside TRL's states; the file is whole or absent."""
        folder.mkdir(parents=True, exist_ok=True)
        staged = folder / "updates.json.partial"
        staged.write_text(json.dumps(self.rows))
        os.replace(staged, folder / "updates.json")

    def load(self, folder: Path, *, updates: int) -> None:
        """Take up the rows of the first ``updates`` updates; those that came after the state are played again."""
        self.rows = json.loads((folder / "updates.json").read_text())[:updates]
