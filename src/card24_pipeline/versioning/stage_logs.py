"""What the log of a stage tells: its last line, why it failed, whether it ran at all."""

from __future__ import annotations

import re
from pathlib import Path

END_BYTES = 8192
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ERROR = re.compile(r"(?<![\w.])(?:\w+\.)*\w*(?:Error|Exception|Interrupt)\b.*")
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded")


def read_last_line(log: Path) -> str:
    """Read the last line of a log that holds something; of a bar that was drawn anew in its line, the last state."""
    return next(reversed(_read_end(log)), "")


def read_error(log: Path) -> str:
    """Read the line of a failed stage's log that names its error best: the last with an error's name, or the last."""
    lines = [line for line in _read_end(log) if not line.startswith("ERROR: failed to reproduce")]
    named = [match[0] for line in lines if (match := _ERROR.search(line))]
    return next(reversed(named or lines), "no output")


def tells_of_full_disk(log: Path) -> bool:
    """Tell whether a stage ended because a disk was full or a quota used up."""
    return any(_NO_SPACE.search(line) for line in _read_end(log))


def tells_of_run(log: Path) -> bool:
    """Tell whether DVC ran the stage's command, instead of bringing its outputs back from the run-cache."""
    with log.open("rb") as file:
        return b"Running stage" in file.read(END_BYTES)


def _read_end(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - END_BYTES))
            text = _COLOUR.sub("", file.read().decode("utf-8", errors="replace"))
    except OSError:
        return []
    return [line for line in map(str.strip, re.split(r"[\r\n]", text)) if line]
