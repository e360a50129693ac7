"""Speed, measured beside the plain way of doing the same thing: `python -m benchmarks`."""

from pathlib import Path

PROJECT = Path(__file__).parents[1]
