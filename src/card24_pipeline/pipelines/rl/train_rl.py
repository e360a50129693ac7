"""Reinforcement learning from selected fine-tuning checkpoints."""

import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field, field_validator

from card24_pipeline.checkpoints.manifest import MANIFEST, write_manifest
from card24_pipeline.checkpoints.writer import save_checkpoint
from card24_pipeline.models.loading import check_vocabulary, load_checkpoint
from card24_pipeline.parameters.arms import read_arm
from card24_pipeline.parameters.base import Params
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.training.progress import open_progress
from card24_pipeline.training.rl_params import Algorithm, KlParams, RlParams
from card24_pipeline.training.rl_run import CardTask, Hand, RlSetup, Trainer

logger = logging.getLogger(__name__)


class RlArmParams(Params):
    """One arm: the SFT arm it goes on from, at the checkpoints of which roles, and how.

    The roles ``all`` are MaxOOD, every rung and End; checkpoints at a level of ID are named one by one.

    ``settings`` holds the keys of ``rl`` that are otherwise in this arm.
    """

    sft_arm: str
    algorithm: Algorithm
    roles: Literal["all"] | list[str]
    kl: KlParams
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("roles", mode="plain")
    @classmethod
    def check_roles(cls, value: Any) -> Literal["all"] | list[str]:
        """Check the whole of ``roles`` at once: one error in plain words instead of one for each kind of value."""
        if value == "all":
            return "all"
        known = r"max_ood|end|rung_[1-9][0-9]*|id_[1-9][0-9]?"
        if not isinstance(value, list) or not value or not all(re.fullmatch(known, str(role)) for role in value):
            raise ValueError("expected 'all' or a list of the roles 'max_ood', 'rung_<n>', 'id_<percent>' and 'end'")
        return list(value)

    def choose_settings(self, rl: RlParams) -> RlParams:
        """Lay the arm's own settings over ``rl``.

        Raises:
            ValueError: If a key is unknown, a value wrong, or the algorithm cannot do what is asked.
        """
        chosen = rl.lay_over(self.settings)
        chosen.check_algorithm(self.algorithm)
        return chosen


def train_rl(
    sft_checkpoints: Path,
    base_model: Path,
    selected_checkpoints: pd.DataFrame,
    rl_hands: pd.DataFrame,
    prompt: PromptParams,
    rl: RlParams,
    rl_arms: Mapping[str, Any],
    rl_arm: str,
    seed: int,
    device: str,
    progress: Path,
) -> tuple[Path, pd.DataFrame, dict[str, Any]]:
    """Train all parameters by reinforcement learning, one run for each SFT checkpoint that the arm starts from.

    Every run of a seed draws from the same chance, so that starts and arms see the same hands in the same order.

    Args:
        sft_checkpoints: Folder of ``step_<n>`` checkpoint folders.
        base_model: Checkpoint folder; read only as the anchor of a KL penalty.
        selected_checkpoints: Columns ``role`` and ``step``.
        rl_hands: Columns ``hand``, ``cards``, ``values``, ``target`` and ``prompt``.
        rl: Rollouts, rewards and optimisation of all arms.
        rl_arms: What each arm is, of which the block of ``rl_arm`` is read.
        progress: Private folder from which a killed stage resumes; runs that were done are not run again.

    Returns:
        A staged folder with one checkpoint folder ``from_step_<n>`` for each start, the history (``from_step`` and the
        trainer's columns, a row for each update) and the timings by run.

    Raises:
        ValueError: If none of the arm's roles was selected.
        CheckpointError: If a checkpoint is damaged or its tokenizer lacks a word of the prompts.
        RlError: If a run meets a figure that is not finite.
    """
    arm = read_arm(rl_arms, rl_arm, RlArmParams)
    settings = arm.choose_settings(rl)
    starts = choose_starts(selected_checkpoints, arm.roles)
    task = CardTask(build_hands(rl_hands), prompt.layout, prompt.style, settings.rewards)
    inputs = (sft_checkpoints, base_model, selected_checkpoints, rl_hands, prompt, settings, arm, seed, device)
    work = open_progress(progress, *inputs)
    histories, timings = [], {}
    for position, step in enumerate(starts, start=1):
        logger.info("Reinforcement learning (%s) from SFT step %d (%d/%d)", rl_arm, step, position, len(starts))
        start, name = sft_checkpoints / f"step_{step}", f"from_step_{step}"
        if (work / "checkpoints" / name / MANIFEST).is_file():
            logger.info("This run was done before the stage was interrupted")
        else:
            folder = find_anchor(arm.kl.anchor, start, base_model, selected_checkpoints)
            _run(_set_up(start, folder, task, settings, arm.kl, seed, device), arm.algorithm, work, name)
        run = json.loads((work / f"{name}.json").read_text())
        histories.append(pd.DataFrame([{"from_step": step} | row for row in run["history"]]))
        timings[name] = run["timings"]
    write_manifest(work / "checkpoints")
    return work / "checkpoints", pd.concat(histories, ignore_index=True), timings


def choose_starts(selected: pd.DataFrame, roles: Literal["all"] | list[str]) -> list[int]:
    """Return the different SFT steps of these roles, in order; a role that this seed's ladder lacks is passed over.

    What ``all`` means is what ``starts_from`` of ``study/vocabulary.py`` says, which no training may import.

    Raises:
        ValueError: If that leaves none.
    """
    steps = _read_roles(selected)
    wanted = [role for role in steps if not role.startswith("id_")] if roles == "all" else roles
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

    ``start`` is the folder ``step_<n>`` that the run starts from, beside those of the other steps.
    """
    if kind == "max_ood":
        return start.with_name(f"step_{_read_roles(selected)['max_ood']}")
    return {"none": None, "base": base_model, "start": start}[kind]


def build_hands(rl_hands: pd.DataFrame) -> list[Hand]:
    """Turn the table's rows into hands to be played."""
    return [
        Hand(int(row["hand"]), row["cards"], row["prompt"], tuple(map(int, row["values"])), int(row["target"]))
        for row in rl_hands.to_dict("records")
    ]


def _set_up(
    start: Path, anchor: Path | None, task: CardTask, settings: RlParams, kl: KlParams, seed: int, device: str
) -> RlSetup:
    """Load the models of one run."""
    model, tokenizer = load_checkpoint(start, device)
    check_vocabulary(tokenizer, [hand.prompt for hand in task.hands], start)
    return RlSetup(
        model, tokenizer, task, settings, kl, None if anchor is None else load_checkpoint(anchor, device)[0], seed
    )


def _run(setup: RlSetup, algorithm: Algorithm, work: Path, name: str) -> None:
    """Train from one start; the checkpoint folder is written last, so where there is one the run is done."""
    # By its name, so that a run depends on the code of its own algorithm only.
    train: Trainer = import_module(f"card24_pipeline.training.{algorithm}").train
    private = work / "runs" / name
    private.mkdir(parents=True, exist_ok=True)
    run = train(setup, private)
    (work / f"{name}.json").write_text(json.dumps(asdict(run)))
    save_checkpoint(setup.model, setup.tokenizer, work / "checkpoints" / name)
    shutil.rmtree(private)


def _read_roles(selected: pd.DataFrame) -> dict[str, int]:
    """Return the SFT step of each role."""
    return {str(role): int(step) for role, step in zip(selected["role"], selected["step"], strict=True)}
