"""Keeps the figures in the readme equal to those that the pipeline wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import yaml

README = "README.md"
KINDS = "text|minutes|megabytes"
OPENING = re.compile(rf"<!-- (?:{KINDS}) of \S+ -->")
BLOCK = re.compile(rf"<!-- ({KINDS}) of (\S+) -->(.*?)<!-- end of \1 -->", re.DOTALL)


class ReadmeError(click.ClickException):
    """The readme cannot be filled; commands show it as one line."""


def fill_readme(project: Path) -> bool:
    """Fill every block of the readme from the file that it names.

    A block is ``<!-- <kind> of <path> -->``, what is replaced, and ``<!-- end of <kind> -->``. Its kind is
    ``text`` (that of a file), ``minutes`` (the sum of all ``wall_seconds`` in a JSON file) or ``megabytes`` (the
    sizes in a lock file of DVC's and in those of the default scale's replicates, each file once). Times are in no
    repository: where their file is missing, the minutes stay as they were (see :func:`list_kept_times`).

    Returns:
        Whether the readme changed.

    Raises:
        ReadmeError: If there is no block, or what one names is missing.
    """
    readme = project / README
    before = readme.read_text(encoding="utf-8")
    if not BLOCK.search(before):
        raise ReadmeError(f"{README}: expected a block <!-- text of <path> --> … <!-- end of text -->")
    whole = [block[0] for block in BLOCK.finditer(before)]
    if len(OPENING.findall(before)) != len(whole) or any(len(OPENING.findall(block)) > 1 for block in whole):
        raise ReadmeError(f"{README}: a block has no end: expected <!-- end of <its kind> --> after each")

    def fill(block: re.Match[str]) -> str:
        kind, path = block[1], block[2]
        if not (project / path).exists():
            if kind == "minutes":
                return block[0]
            raise ReadmeError(f"{README}: {path} is missing: run the study, which writes it")
        return f"<!-- {kind} of {path} -->{_WRITERS[kind](project / path)}<!-- end of {kind} -->"

    after = BLOCK.sub(fill, before)
    if after != before:
        readme.write_text(after, encoding="utf-8")
    return after != before


def list_kept_times(project: Path) -> list[str]:
    """List the files of times that the readme names and that are missing, so that its minutes are those of old."""
    readme = (project / README).read_text(encoding="utf-8")
    return [path for kind, path, _ in BLOCK.findall(readme) if kind == "minutes" and not (project / path).exists()]


def _copy_text(file: Path) -> str:
    if "<!-- end of text -->" in file.read_text(encoding="utf-8"):
        raise ReadmeError(f"{file}: holds the end of a block, which would cut it off in {README}")
    return f"\n\n{file.read_text(encoding='utf-8').strip()}\n\n"


def _sum_minutes(file: Path) -> str:
    return f"{_sum_wall_seconds(json.loads(file.read_text(encoding='utf-8'))) / 60:.0f}"


def _sum_wall_seconds(timings: Any) -> float:
    if not isinstance(timings, dict):
        return 0.0
    own: float = timings.get("wall_seconds", 0.0)
    return own + sum(map(_sum_wall_seconds, timings.values()))


def _sum_megabytes(lock: Path) -> str:
    locks = [lock, *lock.parent.glob("conf/base/*/dvc.lock")]
    stages = [stage for file in locks for stage in yaml.safe_load(file.read_text(encoding="utf-8"))["stages"].values()]
    sizes = {out["path"]: out["size"] for stage in stages for out in stage.get("outs", [])}
    return f"{sum(sizes.values()) / 1e6:.0f}"


_WRITERS: dict[str, Callable[[Path], str]] = {
    "text": _copy_text,
    "minutes": _sum_minutes,
    "megabytes": _sum_megabytes,
}
