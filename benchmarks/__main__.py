"""Run all benchmarks, or those named, print a table and write `data/08_reporting/benchmarks.json`."""

import contextlib
import io
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from typing import Any

import torch

from benchmarks import PROJECT, bench_decomposition, bench_recovery, bench_rl, bench_scoring, bench_sft, bench_solver
from card24_pipeline.provenance import read_processor

RESULTS = PROJECT / "data/08_reporting/benchmarks.json"
BENCHMARKS = {
    "solver": bench_solver.measure,
    "scoring": bench_scoring.measure,
    "sft": bench_sft.measure,
    "rl": bench_rl.measure,
    "decomposition": bench_decomposition.measure,
    "recovery": bench_recovery.measure,
}
# Benchmark, our rate, the rate beside it, their ratio, the unit, and what is compared.
ROWS = (
    ("solver", "solve_hands_per_second", "brute_force_hands_per_second", "ratio", "hands/s", "solver / brute force"),
    ("scoring", "batched_hands_per_second", "single_hands_per_second", "ratio", "hands/s", "scoring: batched / single"),
    ("scoring", "batched_hands_per_second", "library_hands_per_second", "library_ratio", "hands/s",
     "scoring: shared prompts / `model.generate`"),
    ("scoring", "divergences_per_second", "single_divergences_per_second", "divergence_ratio", "1/s",
     "divergence of a checkpoint: base read once / each time"),
    ("sft", "sft_tokens_per_second", "bare_loop_tokens_per_second", "ratio", "tokens/s", "SFT: ours / bare loop"),
    ("sft", "sft_tokens_per_second", "plain_sft_trainer_tokens_per_second", "plain_ratio", "tokens/s",
     "SFT: shared prompt read once / TRL's way"),
    ("rl", "batched_rollouts_per_second", "single_rollouts_per_second", "rollout_ratio", "hands/s",
     "rollouts: batched / single"),
    ("rl", "ppo_answers_per_second", "grpo_trainer_answers_per_second", "update_ratio", "answers/s",
     "whole update: our PPO / TRL's `GRPOTrainer`"),
    ("rl", "ppo_answers_per_second", "evaluating_ppo_answers_per_second", "one_pass_ratio", "answers/s",
     "whole update: values seen in play / from a pass of their own"),
    *(("decomposition", f"decompose_{rows}x{columns}_seconds", f"{other}_{rows}x{columns}_seconds",
       f"decompose_{rows}x{columns}{ratio}", "s", f"decompose {rows} × {columns}: ours / {title}")
      for rows, columns in bench_decomposition.SHAPES
      for other, ratio, title in (("gesdd", "_ratio", "scipy's gesdd"), ("torch_svd", "_torch_ratio", "torch's SVD"))),
    ("decomposition", "angles_seconds", "angles_svd_seconds", "angles_ratio", "s",
     "principal angles: eigenvalues / singular values"),
    ("decomposition", "sweep_seconds", "published_sweep_seconds", "sweep_ratio", "s",
     "ten fractions of a 896 × 4864 merge: ours / the published way"),
)  # fmt: skip


def describe_scoring(found: Mapping[str, Any]) -> list[str]:
    return [f"Scoring: {found['model']}; {found['same_answers']} answers the same (singly, then by the library)."]


def describe_rl(found: Mapping[str, Any]) -> list[str]:
    return [
        f"Of a PPO update {found['share_outside_passes']:.0%} is spent outside module calls and backward passes; it "
        "takes several optimiser steps, the GRPO update one."
    ]


def describe_decomposition(found: Mapping[str, Any]) -> list[str]:
    lines = []
    for rows, columns in bench_decomposition.SHAPES:
        name = f"{rows}x{columns}"
        share = found[f"decompose_{name}_flop_per_second"] / found["product_float64_flop_per_second"]
        lines.append(
            f"{rows} × {columns}: singular values within {found[f'decompose_{name}_sigma_error']:.0e} of σ_max, "
            f"vectors orthogonal to {found[f'decompose_{name}_vector_error']:.0e}; "
            f"{share:.0%} of the FLOP/s of a large float64 product."
        )
    return lines


def describe_recovery(found: Mapping[str, Any]) -> list[str]:
    return [
        f"Recovery of a sharded bf16 checkpoint of {found['checkpoint_gib']:.2f} GiB in 7B shapes: peak resident "
        f"memory {found['peak_resident_gib']:.2f} GiB, {found['recovery_seconds']:.0f} s."
    ]


NOTES = {
    "scoring": describe_scoring,
    "rl": describe_rl,
    "decomposition": describe_decomposition,
    "recovery": describe_recovery,
}


def main() -> None:
    chosen = sys.argv[1:] or list(BENCHMARKS)
    if unknown := [name for name in chosen if name not in BENCHMARKS]:
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for name in chosen:
        measure, machine = BENCHMARKS[name], describe_machine()
        print(f"measuring {name} …", file=sys.stderr)
        started = time.perf_counter()
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars
            results[name] = measure()
        results[name] |= {"wall_seconds": time.perf_counter() - started, "machine": machine}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(render_table(results))


def describe_machine() -> dict[str, Any]:
    """Say what the figures were measured on, and how busy it was with other things just before."""
    return {
        "cpu": read_processor(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "load_average_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def describe_run(machine: Mapping[str, Any]) -> str:
    return (
        f"Measured on {machine['cores']} cores ({machine['cpu']}), torch {machine['torch']}, "
        f"load {machine['load_average_before']:.1f} before."
    )


def render_table(results: Mapping[str, Any]) -> str:
    lines = ["| what | ours | beside it | ratio |", "| --- | --- | --- | --- |"]
    for name, ours, beside, ratio, unit, what in ROWS:
        found = results.get(name)
        if found is None:
            continue
        lines.append(f"| {what} | {found[ours]:,.4g} {unit} | {found[beside]:,.4g} {unit} | {found[ratio]:.2f} |")
    lines += ["", *(note for name, describe in NOTES.items() if name in results for note in describe(results[name]))]
    lines += dict.fromkeys(describe_run(results[name]["machine"]) for name in BENCHMARKS if name in results)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
