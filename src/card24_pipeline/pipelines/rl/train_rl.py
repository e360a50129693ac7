"""Reinforcement learning from selected fine-tuning checkpoints."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from card24_pipeline.checkpoints.manifest import MANIFEST, write_manifest
from card24_pipeline.checkpoints.writer import save_checkpoint
from card24_pipeline.models.loading import check_vocabulary, load_checkpoint
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.pipelines.rl.arm_params import ArmParams
from card24_pipeline.training.progress import open_progress
from card24_pipeline.training.rl_run import CardTask, Hand, RlRun
from card24_pipeline.training.rl_settings import KlSettings, RlSettings

logger = logging.getLogger(__name__)


def train_rl(
    sft_checkpoints: Path,
    base_model: Path,
    selected_checkpoints: pd.DataFrame,
    rl_hands: pd.DataFrame,
    prompt: PromptParams,
    settings: RlSettings,
    arm: ArmParams,
    seed: int,
    progress: Path,
) -> tuple[Path, pd.DataFrame, dict[str, Any]]:
    """Train all parameters by reinforcement learning, one run for each SFT checkpoint that the arm starts from.

    Every run of a seed draws from the same chance, so that starts and arms see the same hands in the same order.

    Args:
        sft_checkpoints: Folder of ``step_<n>`` checkpoint folders.
        base_model: Checkpoint folder; read only as the anchor of a KL penalty.
        selected_checkpoints: Columns ``role`` and ``step``.
        rl_hands: Columns ``hand``, ``cards``, ``values``, ``target`` and ``prompt``.
        prompt: Layout and style in which answers are read.
        settings: Algorithm, rollouts, rewards and optimisation.
        arm: Where runs start, and their KL penalty.
        seed: Order of the hands, and what is sampled.
        progress: Private folder from which a killed stage resumes; runs that were done are not run again.

    Returns:
        A staged folder with one checkpoint folder ``from_step_<n>`` for each start, the history (``from_step`` and the
        trainer's columns, a row for each update) and the timings by run.

    Raises:
        ValueError: If none of the arm's roles was selected.
        CheckpointError: If a checkpoint is damaged or its tokenizer lacks a word of the prompts.
        RlError: If a run meets a figure that is not finite.
    """
    starts = choose_starts(selected_checkpoints, arm.roles)
    hands = build_hands(rl_hands)
    task = CardTask(hands, layout=prompt.layout, style=prompt.style, rewards=settings.rewards.to_table())
    inputs = (sft_checkpoints, base_model, selected_checkpoints, rl_hands, prompt, settings, arm, seed)
    work = open_progress(progress, *inputs)
    for position, step in enumerate(starts, start=1):
        logger.info("Reinforcement learning from SFT step %d (%d/%d)", step, position, len(starts))
        start = sft_checkpoints / f"step_{step}"
        anchor = find_anchor(arm.kl.anchor, start, base_model, selected_checkpoints)
        if (work / "checkpoints" / f"from_step_{step}" / MANIFEST).is_file():
            logger.info("This run was done before the stage was interrupted")
        else:
            _run(start, anchor, task, settings, arm.kl, seed, work)
    return _collect(work, starts)


def choose_starts(selected: pd.DataFrame, roles: Literal["all"] | list[str]) -> list[int]:
    """Return the different SFT steps of these roles, in order; a role that this seed's ladder lacks is passed over.

    Raises:
        ValueError: If that leaves none.
    """
    steps = _read_roles(selected)
    wanted = list(steps) if roles == "all" else roles
    missing = [role for role in wanted if role not in steps]
    if missing:
        logger.info("No run from %s: this seed's ladder has %s only", ", ".join(missing), ", ".join(steps))
    starts = sorted({steps[role] for role in wanted if role in steps})
    if not starts:
        raise ValueError(f"no checkpoint to start from: roles {', '.join(wanted)} are not among {', '.join(steps)}")
    return starts


def find_anchor(
    kind: Literal["none", "start", "max_ood", "base"], start: Path, base_model: Path, selected: pd.DataFrame
) -> Path | None:
    """Return the checkpoint folder that the KL penalty anchors to, or None where there is no penalty.

    Args:
        kind: Which model it is.
        start: Checkpoint folder ``step_<n>`` that the run starts from, beside those of the other steps.
        base_model: Checkpoint folder of the base.
        selected: Columns ``role`` and ``step``.
    """
    if kind == "none":
        return None
    if kind == "base":
        return base_model
    return start if kind == "start" else start.with_name(f"step_{_read_roles(selected)['max_ood']}")


def build_hands(rl_hands: pd.DataFrame) -> list[Hand]:
    """Turn the table's rows into hands to be played."""
    return [
        Hand(
            identity=int(row["hand"]),
            cards=row["cards"],
            prompt=row["prompt"],
            values=tuple(map(int, row["values"])),
            target=int(row["target"]),
        )
        for row in rl_hands.to_dict("records")
    ]


def _run(
    start: Path, anchor_folder: Path | None, task: CardTask, settings: RlSettings, kl: KlSettings, seed: int, work: Path
) -> None:
    """Train from one start; the checkpoint folder is written last, so where there is one the run is done."""
    model, tokenizer = load_checkpoint(start)
    check_vocabulary(tokenizer, [hand.prompt for hand in task.hands], start)
    anchor = None if anchor_folder is None else load_checkpoint(anchor_folder)[0]
    train = _load_trainer(settings.algorithm)
    name = f"from_{start.name}"
    private = work / "runs" / name
    private.mkdir(parents=True, exist_ok=True)
    run = train(model, tokenizer, task, settings, kl=kl, anchor=anchor, seed=seed, progress=private)
    (work / f"{name}.json").write_text(json.dumps({"history": run.history, "timings": run.timings}))
    save_checkpoint(model, tokenizer, work / "checkpoints" / name)
    shutil.rmtree(private)


def _load_trainer(algorithm: Literal["ppo", "grpo", "rloo"]) -> Callable[..., RlRun]:
    """Import the trainer of this algorithm and no other."""
    if algorithm == "ppo":
        from card24_pipeline.training.ppo import train_ppo

        return train_ppo
    from card24_pipeline.training.group_relative import train_group_relative

    return train_group_relative


def _collect(work: Path, starts: list[int]) -> tuple[Path, pd.DataFrame, dict[str, Any]]:
    """Bring the runs together."""
    histories, timings = [], {}
    for step in starts:
        run = json.loads((work / f"from_step_{step}.json").read_text())
        history = pd.DataFrame(run["history"])
        history.insert(0, "from_step", step)
        histories.append(history)
        timings[f"from_step_{step}"] = run["timings"]
    staged = work / "checkpoints"
    write_manifest(staged)
    return staged, pd.concat(histories, ignore_index=True), timings


def _read_roles(selected: pd.DataFrame) -> dict[str, int]:
    """Return the SFT step of each role."""
    return {str(role): int(step) for role, step in zip(selected["role"], selected["step"], strict=True)}
