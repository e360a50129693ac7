"""The whole parameter file: every key, its type and its bounds.

The classes live beside the nodes that read them, one module each, so that a new knob of one node re-runs no other.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from card24_pipeline.evaluation.settings import ScoringSettings
from card24_pipeline.game.hands import HAND_SIZE
from card24_pipeline.game.prompts import PromptLayout, render_prompt
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.base_model.mixture_params import MixtureParams
from card24_pipeline.pipelines.base_model.source_params import FromScratchParams, SourceParams
from card24_pipeline.pipelines.checkpoint_tools import CheckpointToolParams
from card24_pipeline.pipelines.game.eval_hands_params import EvalHandsParams
from card24_pipeline.pipelines.game.rl_hands_params import RlHandsParams
from card24_pipeline.pipelines.game.sft_examples_params import SftExamplesParams
from card24_pipeline.pipelines.game.split_params import SplitParams
from card24_pipeline.pipelines.recovery.params import RecoveryParams
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.pipelines.rl.arm_params import ArmParams
from card24_pipeline.pipelines.sft.selection_params import SelectionParams
from card24_pipeline.pipelines.sft.training_params import SftParams
from card24_pipeline.pipelines.spectra.params import SpectraParams
from card24_pipeline.training.rl_settings import RlSettings


class GameParameters(BaseModel):
    """Everything under ``game``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: RulesParams
    prompt: PromptParams
    split: SplitParams
    eval_hands: EvalHandsParams
    sft_examples: SftExamplesParams
    rl_hands: RlHandsParams


class BaseModelParameters(BaseModel):
    """Everything under ``base_model``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceParams
    mixture: MixtureParams


class RlArmsParameters(BaseModel):
    """The arms of reinforcement learning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plain: ArmParams
    anchored: ArmParams


class StudyParameters(BaseModel):
    """A scale's parameters, after its overlay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: NonNegativeInt
    seeds: list[NonNegativeInt] = Field(min_length=1)
    game: GameParameters
    base_model: BaseModelParameters
    sft: SftParams
    scoring: ScoringSettings
    selection: SelectionParams
    rl: RlSettings
    rl_arms: RlArmsParameters
    spectra: SpectraParams
    recovery: RecoveryParams
    report: ReportParams

    @model_validator(mode="after")
    def check_settings_that_belong_together(self) -> Self:
        """Refuse, before anything is trained, settings that would stop a later stage."""
        schedules = {"sft.schedule": self.sft.schedule}
        source = self.base_model.source.root
        if isinstance(source, FromScratchParams):
            schedules["base_model.source.schedule"] = source.schedule
            if self.game.prompt.layout is not PromptLayout.compact:
                raise ValueError("game.prompt.layout: a from_scratch base is trained on compact prompts only")
            self._check_context(source.architecture.max_tokens)
        for name, schedule in schedules.items():
            if schedule.batch_size % schedule.micro_batch_size:
                raise ValueError(f"{name}.batch_size: expected a multiple of micro_batch_size")
        if max(self.sft.checkpoint_steps) > self.sft.schedule.steps:
            raise ValueError(
                f"sft.checkpoint_steps: expected steps up to sft.schedule.steps ({self.sft.schedule.steps})"
            )
        self._check_arms()
        self._check_rungs()
        return self

    def _check_context(self, max_tokens: int) -> None:
        """Check that a from-scratch base, whose tokens are words, can hold the longest conversation of RL."""
        rollouts, rules, prompt = self.rl.rollouts, self.game.rules, self.game.prompt
        cards = ["A"] * HAND_SIZE
        asked = render_prompt(cards, rules.id.to_rule(), rules.target, layout=prompt.layout, style=prompt.style)
        # A failed answer that was cut is ended by one more token, and the prompt comes again.
        needed = rollouts.max_tries * (len(asked.split()) + rollouts.max_new_tokens + 1) - 1
        if needed > max_tokens:
            raise ValueError(
                f"rl.rollouts: max_tries {rollouts.max_tries} and max_new_tokens {rollouts.max_new_tokens} need up to "
                f"{needed} tokens, but base_model.source.architecture.max_tokens is {max_tokens}"
            )

    def _check_arms(self) -> None:
        """Check that each arm is what the report takes it for."""
        anchor = self.rl_arms.plain.kl.anchor
        if anchor != "none":
            raise ValueError(
                f"rl_arms.plain.kl.anchor: expected none, for this arm is RL without an anchor, got {anchor}"
            )
        if self.rl_arms.anchored.kl.anchor == "none":
            raise ValueError("rl_arms.anchored.kl.anchor: expected start, max_ood or base, got none")

    def _check_rungs(self) -> None:
        """Check that every rung that an arm names can be on the ladder."""
        rungs = {f"rung_{number}" for number in range(1, self.selection.ladder_rungs + 1)}
        for name, arm in (("plain", self.rl_arms.plain), ("anchored", self.rl_arms.anchored)):
            for role in [] if arm.roles == "all" else arm.roles:
                if role.startswith("rung_") and role not in rungs:
                    raise ValueError(
                        f"rl_arms.{name}.roles: {role}, but selection.ladder_rungs is {self.selection.ladder_rungs}"
                    )


class ProjectParameters(StudyParameters, CheckpointToolParams):
    """A run's parameters: the study's, and those of the tools for anyone's checkpoints."""
