"""The whole parameter file: every key, its type and its bounds.

The classes live beside the nodes that read them, one module each, so that a new knob of one node re-runs no other.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from card24_pipeline.evaluation.settings import ScoringSettings
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.base_model.mixture_params import MixtureParams
from card24_pipeline.pipelines.base_model.source_params import SourceParams
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
