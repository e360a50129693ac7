"""The whole parameter file: every key, its type and its bounds.

The classes live beside the nodes that read them, one module each, so that a new knob of one node re-runs no other.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, model_validator

from card24_pipeline.evaluation.settings import ScoringSettings
from card24_pipeline.game.prompts import PromptLayout
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.base_model.mixture_params import MixtureParams
from card24_pipeline.pipelines.base_model.source_params import FromScratchParams, SourceParams
from card24_pipeline.pipelines.game.eval_hands_params import EvalHandsParams
from card24_pipeline.pipelines.game.sft_examples_params import SftExamplesParams
from card24_pipeline.pipelines.game.split_params import SplitParams
from card24_pipeline.pipelines.report.params import ReportParams
from card24_pipeline.pipelines.sft.selection_params import SelectionParams
from card24_pipeline.pipelines.sft.training_params import SftParams


class GameParameters(BaseModel):
    """Everything under ``game``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: RulesParams
    prompt: PromptParams
    split: SplitParams
    eval_hands: EvalHandsParams
    sft_examples: SftExamplesParams


class BaseModelParameters(BaseModel):
    """Everything under ``base_model``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SourceParams
    mixture: MixtureParams


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
        for name, schedule in schedules.items():
            if schedule.batch_size % schedule.micro_batch_size:
                raise ValueError(f"{name}.batch_size: expected a multiple of micro_batch_size")
        if max(self.sft.checkpoint_steps) > self.sft.schedule.steps:
            raise ValueError(
                f"sft.checkpoint_steps: expected steps up to sft.schedule.steps ({self.sft.schedule.steps})"
            )
        return self
