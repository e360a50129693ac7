"""What the driver shows: on a terminal one picture that changes, elsewhere a line at each start and end."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from card24_pipeline.versioning.stage_logs import read_last_line

if TYPE_CHECKING:
    from rich.live import Live

REFRESH_SECONDS = 0.5


@dataclass(frozen=True)
class RunningStage:
    """A stage that runs: its label, the log of what it writes, and since when, in seconds of the monotonic clock."""

    label: str
    log: Path
    since: float


@dataclass(frozen=True)
class Progress:
    """Where a run stands: how many stages are done, run and exist, and about how many seconds are left, if known."""

    done: int
    running: int
    total: int
    seconds_left: float | None

    def describe(self) -> str:
        """Say it, as in ``stage 7 of 42, about 11 min left``."""
        left = "" if self.seconds_left is None else f", about {describe_seconds(self.seconds_left)} left"
        return f"stage {min(self.done + max(self.running, 1), self.total)} of {self.total}{left}"


class DriverView:
    """Shows a run on standard output."""

    def __init__(self, terminal: bool | None = None) -> None:
        """Choose a picture that changes, or lines; by default the first on a terminal."""
        self._terminal = sys.stdout.isatty() if terminal is None else terminal
        self._live: Live | None = None
        self._refreshed = 0.0

    def say(self, line: str) -> None:
        """Write a line that stays."""
        if self._live is None:
            click.echo(line)
        else:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def start(self, label: str, progress: Progress) -> None:
        """Tell that a stage starts."""
        if not self._terminal:
            self.say(f"{progress.describe()}: {label}")

    def refresh(self, running: Sequence[RunningStage], progress: Progress) -> None:
        """Draw the picture anew, twice a second at most."""
        now = time.monotonic()
        if not self._terminal or now - self._refreshed < REFRESH_SECONDS:
            return
        self._refreshed = now
        self._draw([*draw_running(running, now), progress.describe()])

    def close(self) -> None:
        """Take the picture away; lines stay."""
        if self._live is not None:
            self._live.update("", refresh=True)
            self._live.stop()
            self._live = None

    def _draw(self, lines: Sequence[str]) -> None:
        from rich.live import Live
        from rich.text import Text

        text = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
        if self._live is None:
            self._live = Live(text, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(text, refresh=True)


def draw_running(running: Sequence[RunningStage], now: float) -> list[str]:
    """Return a line for each stage that runs: its label, how long it has run, and the last thing it wrote."""
    width = max((len(stage.label) for stage in running), default=0)
    times = [describe_seconds(now - stage.since) for stage in running]
    return [
        f"{stage.label:{width}}  {time:>9}  {read_last_line(stage.log)}".rstrip()
        for stage, time in zip(running, times, strict=True)
    ]


def describe_seconds(seconds: float) -> str:
    """Round a time to what a reader wants: ``40 s``, ``11 min``, ``3 h 20 min``."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def summarise(seconds: float, counts: Mapping[str, int]) -> str:
    """Say in a line what became of the stages."""
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    total = sum(counts.values())
    return f"{total} stage{'s' if total != 1 else ''} in {describe_seconds(seconds)}: {said}"
