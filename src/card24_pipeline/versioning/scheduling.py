"""Which stage to start next, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Schedule:
    """Stages that wait for others; the one at the head of the longest path to the end goes first."""

    def __init__(self, waits_for: Mapping[str, Sequence[str]], seconds: Mapping[str, float]) -> None:
        """Take the graph.

        Args:
            waits_for: For each stage those that must be done before it. Ones that are not keys count as done.
            seconds: What stages are expected to take; a path counts those that are missing by their number only.
        """
        self._waits_for = {
            stage: {other for other in others if other in waits_for} for stage, others in waits_for.items()
        }
        self._followers: dict[str, list[str]] = {stage: [] for stage in waits_for}
        for stage, others in self._waits_for.items():
            for other in others:
                self._followers[other].append(stage)
        self._seconds = seconds
        self._paths: dict[str, float] = {}
        self.waiting = dict.fromkeys(waits_for)
        self.running: dict[str, None] = {}
        self.done: dict[str, None] = {}

    def list_ready(self) -> list[str]:
        """List the stages that could start now, that of the longest path first."""
        ready = [stage for stage in self.waiting if all(other in self.done for other in self._waits_for[stage])]
        return sorted(ready, key=lambda stage: -self._measure_path(stage))

    def start(self, stage: str) -> None:
        """Note that a stage runs."""
        del self.waiting[stage]
        self.running[stage] = None

    def finish(self, stage: str) -> None:
        """Note that a stage is done, whether it ran or was up to date."""
        self.waiting.pop(stage, None)
        self.running.pop(stage, None)
        self.done[stage] = None

    def give_up(self, stage: str) -> list[str]:
        """Note that a stage failed; return the stages that now cannot run."""
        self.running.pop(stage, None)
        lost, found = [], [stage]
        while found:
            for follower in self._followers[found.pop()]:
                if follower in self.waiting:
                    del self.waiting[follower]
                    lost.append(follower)
                    found.append(follower)
        return lost

    def estimate_seconds_left(self, jobs: int, elapsed: Mapping[str, float]) -> float | None:
        """Estimate what the rest takes: its longest path, or all its work over the jobs, whichever is longer.

        Args:
            jobs: How many stages run side by side.
            elapsed: Seconds that running stages have run for.

        Returns:
            Seconds; None when it is not known of every stage how long it takes.
        """
        rest = [*self.waiting, *self.running]
        if any(stage not in self._seconds for stage in rest):
            return None
        gone = {
            stage: min(seconds, self._seconds[stage]) for stage, seconds in elapsed.items() if stage in self.running
        }
        paths = [self._measure_path(stage) - gone.get(stage, 0.0) for stage in rest]
        work = sum(self._seconds[stage] for stage in rest) - sum(gone.values())
        return max([work / jobs, *paths], default=0.0)

    def _measure_path(self, stage: str) -> float:
        if stage not in self._paths:
            beyond = max(map(self._measure_path, self._followers[stage]), default=0.0)
            # A little for each stage, so that without any timings the longest chain goes first.
            self._paths[stage] = beyond + self._seconds.get(stage, 0.0) + 1e-3
        return self._paths[stage]
