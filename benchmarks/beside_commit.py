"""SFT, PPO and scoring beside another commit's, in turns: `python -m benchmarks.beside_commit COMMIT [PART …]`.

Each commit runs in a process of its own, one thread, on the same model sizes, texts and settings; while one runs the
other waits. Both clocks are shown: on a busy machine the processor's is the fair one. `utilisation` is the share of the
operations per second of a large product, on the processor's clock. Writes `data/08_reporting/beside_commit.json`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import PROJECT
from benchmarks.__main__ import describe_machine
from benchmarks.bench_sft import render_examples
from benchmarks.default_study import deal_hands, read_architecture, read_params
from card24_pipeline.pipelines.game.deal_rl_hands import deal_rl_hands

RESULTS = PROJECT / "data/08_reporting/beside_commit.json"
PARTS = ("sft", "ppo", "scoring")
ROUNDS = 5
HANDS = 2048


class Side:
    """A commit's worker, which answers a line with a line."""

    def __init__(self, tree: Path, job: Path) -> None:
        """Start the worker on the package that lies in ``tree``."""
        self._process = subprocess.Popen(
            [sys.executable, str(PROJECT / "benchmarks/beside_commit_worker.py"), str(job)],
            env={**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def time(self, part: str) -> dict[str, float]:
        """Return the rates of one round; RuntimeError if the worker ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the worker has no pipes")
        stdin.write(f"{part}\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"the worker of {part} ended with status {self._process.wait()}")
        rates: dict[str, float] = json.loads(line)
        return rates

    def close(self) -> None:
        """End the worker."""
        self._process.communicate("")


def measure(commit: str, parts: Sequence[str]) -> dict[str, Any]:
    """Return, for each part, the median rates of both commits and of their ratio within a round."""
    with tempfile.TemporaryDirectory() as folder:
        before, job = Path(folder) / "before", Path(folder) / "job.json"
        before.mkdir()
        archive = subprocess.run(["git", "archive", commit], cwd=PROJECT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(before)], input=archive, check=True)
        job.write_text(json.dumps(_describe_job()))
        sides = [Side(PROJECT, job), Side(before, job)]
        try:
            return {part: _compare(sides, part) for part in parts}
        finally:
            for side in sides:
                side.close()


def _describe_job() -> dict[str, Any]:
    """Write down everything that both sides are given."""
    study = read_params()
    prompts, answers = render_examples(study)
    hands = deal_rl_hands(deal_hands(study)[0], study.game.rules, study.game.prompt, study.game.rl_hands)
    hands = hands.sample(frac=1.0, random_state=0).head(HANDS)
    columns = ("prompt", "cards", "values", "target")
    return {
        "architecture": read_architecture(study).model_dump(),
        "prompts": prompts,
        "answers": answers,
        "hands": json.loads(hands[list(columns)].to_json(orient="records")),
        "layout": study.game.prompt.layout,
        "style": study.game.prompt.style,
        "schedule": study.sft.schedule.model_dump(),
        "rl": study.rl.model_dump(),
        "scoring": study.scoring.model_dump(),
    }


def _compare(sides: Sequence[Side], part: str) -> dict[str, float]:
    for side in sides:
        side.time(part)  # imports, allocations
    # Each goes first in every other round.
    rounds = []
    for number in range(ROUNDS):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        rates = {index: sides[index].time(part) for index in order}
        rounds.append((rates[0], rates[1]))
    figures: dict[str, float] = {}
    for name in rounds[0][0]:
        figures[f"{name}_ratio"] = median(now[name] / before[name] for now, before in rounds)
        figures[name], figures[f"{name}_before"] = (median(pair[side][name] for pair in rounds) for side in (0, 1))
    for when in ("", "_before"):
        figures[f"utilisation{when}"] = figures[f"flop_per_cpu_second{when}"] / figures[f"peak_flop_per_second{when}"]
    return figures


def main() -> None:
    commit, *parts = sys.argv[1:] or sys.exit("expected a commit, then some of sft, ppo and scoring")
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"no part is called {', '.join(sorted(unknown))}: expected {', '.join(PARTS)}")
    found = {"beside": commit, "machine": describe_machine(), **measure(commit, parts or PARTS)}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
