"""How long each stage took when it last ran: files outside git and DVC."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median

from card24_pipeline.versioning.files import write_atomically


def read_times(path: Path) -> dict[str, float]:
    """Read the wall seconds of stages by address; a file that is missing or no such file holds none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {address: float(entry["wall_seconds"]) for address, entry in content.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def write_times(path: Path, times: Mapping[str, float]) -> None:
    """Write the wall seconds of stages by address, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {address: {"wall_seconds": round(times[address], 3)} for address in sorted(times)}
    write_atomically(path, json.dumps(content, indent=2) + "\n")


def guess_times(addresses: Iterable[str], times: Mapping[str, float]) -> dict[str, float]:
    """Guess what stages will take: as last time, or else as those of the same name in other replicates did."""
    by_name: dict[str, list[float]] = {}
    for address, seconds in times.items():
        by_name.setdefault(_get_name(address), []).append(seconds)
    return {
        address: times.get(address, median(by_name.get(_get_name(address), [0.0])))
        for address in addresses
        if address in times or _get_name(address) in by_name
    }


def _get_name(address: str) -> str:
    return address.rpartition(":")[2].partition("@")[0]
