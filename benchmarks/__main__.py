"""Run all benchmarks, print a table and write `data/08_reporting/benchmarks.json`."""

import contextlib
import io
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from benchmarks import PROJECT, bench_rl, bench_scoring, bench_sft, bench_solver

RESULTS = PROJECT / "data/08_reporting/benchmarks.json"
BENCHMARKS = {
    "solver": bench_solver.measure,
    "scoring": bench_scoring.measure,
    "sft": bench_sft.measure,
    "rl": bench_rl.measure,
}
# Benchmark, our rate, the rate beside it, their ratio, the unit, and what is compared.
ROWS = (
    ("solver", "solve_hands_per_second", "brute_force_hands_per_second", "ratio", "hands/s", "solver / brute force"),
    ("scoring", "batched_hands_per_second", "single_hands_per_second", "ratio", "hands/s", "scoring: batched / single"),
    ("sft", "sft_tokens_per_second", "bare_loop_tokens_per_second", "ratio", "tokens/s", "`SFTTrainer` / bare loop"),
    (
        "rl",
        "batched_rollouts_per_second",
        "single_rollouts_per_second",
        "rollout_ratio",
        "hands/s",
        "rollouts: batched / single",
    ),
    (
        "rl",
        "ppo_answers_per_second",
        "grpo_trainer_answers_per_second",
        "update_ratio",
        "answers/s",
        "whole update: our PPO / TRL's `GRPOTrainer`",
    ),
)


def main() -> None:
    results: dict[str, Any] = {"machine": describe_machine()}
    for name, measure in BENCHMARKS.items():
        print(f"measuring {name} …", file=sys.stderr)
        started = time.perf_counter()
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars
            results[name] = measure()
        results[name]["wall_seconds"] = time.perf_counter() - started
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(render_table(results))


def describe_machine() -> dict[str, Any]:
    """Say what the figures were measured on, and how busy it was with other things just before."""
    return {
        "cpu": read_cpu_model(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "load_average_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def read_cpu_model() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def render_table(results: Mapping[str, Any]) -> str:
    machine = results["machine"]
    lines = ["| what | ours | beside it | ratio |", "| --- | --- | --- | --- |"]
    for name, ours, beside, ratio, unit, what in ROWS:
        found = results[name]
        lines.append(f"| {what} | {found[ours]:,.0f} {unit} | {found[beside]:,.1f} {unit} | {found[ratio]:.2f} |")
    notes = (
        f"Scoring: {results['scoring']['model']}; {results['scoring']['same_answers']} answers the same both ways. "
        f"Of a PPO update {results['rl']['share_outside_passes']:.0%} is spent outside module calls and backward "
        "passes; it takes several optimiser steps and an evaluation pass, the GRPO update one step. "
        f"Measured on {machine['cores']} cores ({machine['cpu']}), torch {machine['torch']}, "
        f"load {machine['load_average_before']:.1f} before."
    )
    return "\n".join([*lines, "", notes])


if __name__ == "__main__":
    main()
