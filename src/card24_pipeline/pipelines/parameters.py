"""The whole parameter file: every key, its type and its bounds.

The classes live beside the nodes that read them, so that a new knob of one node re-runs no other.
"""

from collections.abc import Collection
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from card24_pipeline.evaluation.scoring import ScoringParams
from card24_pipeline.findings.params import FindingsParams
from card24_pipeline.game.hands import HAND_SIZE
from card24_pipeline.game.prompts import PromptLayout, render_prompt
from card24_pipeline.models.device import DeviceName
from card24_pipeline.parameters.arms import ArmName
from card24_pipeline.parameters.base import Params
from card24_pipeline.parameters.prompt import PromptParams
from card24_pipeline.parameters.rules import RulesParams
from card24_pipeline.pipelines.base_model.obtain_base_model import FromScratchParams, SourceParams
from card24_pipeline.pipelines.base_model.render_pretraining_examples import MixtureParams
from card24_pipeline.pipelines.game.deal_eval_hands import EvalHandsParams
from card24_pipeline.pipelines.game.deal_rl_hands import RlHandsParams
from card24_pipeline.pipelines.game.render_sft_examples import SftExamplesParams
from card24_pipeline.pipelines.game.split_multisets import SplitParams
from card24_pipeline.pipelines.recovery.params import EditArmParams
from card24_pipeline.pipelines.rl.train_rl import RlArmParams
from card24_pipeline.pipelines.sft.select_checkpoints import SelectionParams
from card24_pipeline.pipelines.sft.train_sft import SftArmParams, SftParams
from card24_pipeline.pipelines.spectra.params import SpectraParams
from card24_pipeline.tools.params import ToolParams
from card24_pipeline.training.rl_params import RlParams
from card24_pipeline.versioning.validation import describe_error


def _check_different(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("expected different seeds")
    return seeds


Settings = TypeVar("Settings", bound=Params)
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]


class GameParams(Params):
    """Everything under ``game``."""

    rules: RulesParams
    prompt: PromptParams
    split: SplitParams
    eval_hands: EvalHandsParams
    sft_examples: SftExamplesParams
    rl_hands: RlHandsParams


class BaseModelParams(Params):
    """Everything under ``base_model``."""

    source: SourceParams
    mixture: MixtureParams


class StudyParams(Params):
    """A scale's parameters after its overlay; the keys of a run, a seed and arms, are the loader's."""

    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(_check_different)]
    device: DeviceName
    threads: Annotated[int, Field(strict=True, ge=1, le=1024)]
    game: GameParams
    base_model: BaseModelParams
    sft: SftParams
    sft_arms: dict[ArmName, SftArmParams] = Field(min_length=1)
    scoring: ScoringParams
    selection: SelectionParams
    rl: RlParams
    rl_arms: dict[ArmName, RlArmParams] = Field(min_length=1)
    spectra: SpectraParams
    edit_arms: dict[ArmName, EditArmParams] = Field(min_length=1)
    findings: FindingsParams

    @model_validator(mode="after")
    def check_settings_that_belong_together(self) -> Self:
        """Refuse, before anything is trained, settings that would stop a later stage."""
        for kind in ("rl_arms", "edit_arms"):
            for name, arm in getattr(self, kind).items():
                _check_known(f"{kind}.{name}.sft_arm", arm.sft_arm, self.sft_arms)
        for name, other in self.findings.compare_arms.items():
            _check_known("findings.compare_arms", name, self.sft_arms)
            _check_known(f"findings.compare_arms.{name}", other, [arm for arm in self.sft_arms if arm != name])
        for name in self.findings.arm_notes:
            _check_known("findings.arm_notes", name, self.sft_arms)
        _check_known("selection.split", self.selection.split, [f"{name}_select" for name in self.game.rules.ood])
        source = self.base_model.source.root
        if isinstance(source, FromScratchParams) and self.game.prompt.layout is not PromptLayout.compact:
            raise ValueError("game.prompt.layout: a from_scratch base is trained on compact prompts only")
        chosen = {name: _choose_settings(f"sft_arms.{name}", arm, self.sft) for name, arm in self.sft_arms.items()}
        selection = self.selection
        known = ["max_ood", "end", *(f"rung_{number}" for number in range(1, selection.ladder_rungs + 1))]
        known += [f"id_{percent}" for percent in selection.id_percents]
        for name, arm in self.rl_arms.items():
            for role in [] if arm.roles == "all" else arm.roles:
                keeps_one = {*chosen[arm.sft_arm].checkpoint_steps} == {chosen[arm.sft_arm].schedule.steps}
                _check_known(f"rl_arms.{name}.roles", role, ["end"] if keeps_one else known)
            settings = _choose_settings(f"rl_arms.{name}", arm, self.rl)
            if isinstance(source, FromScratchParams):
                self._check_context(name, settings, source.architecture.max_tokens)
        return self

    def _check_context(self, name: str, settings: RlParams, max_tokens: int) -> None:
        """Check that a from-scratch base, whose tokens are words, can hold the longest conversation of an arm."""
        rollouts, rules, prompt = settings.rollouts, self.game.rules, self.game.prompt
        cards = ["A"] * HAND_SIZE
        asked = render_prompt(cards, rules.id.to_rule(), rules.target, **prompt.wording)
        # A failed answer that was cut is ended by one more token, and the prompt comes again.
        needed = rollouts.max_tries * (len(asked.split()) + rollouts.max_new_tokens + 1) - 1
        if needed > max_tokens:
            raise ValueError(
                f"rl_arms.{name}: rollouts.max_tries {rollouts.max_tries} and rollouts.max_new_tokens "
                f"{rollouts.max_new_tokens} need up to {needed} tokens, but base_model.source.architecture.max_tokens "
                f"is {max_tokens}"
            )


def _choose_settings(key: str, arm: Any, whole: Settings) -> Settings:
    """Return the settings of an arm, its own laid over those of all arms."""
    try:
        chosen: Settings = arm.choose_settings(whole)
    except ValidationError as error:
        problems = []
        for details in error.errors(include_url=False):
            place = ".".join([key, "settings", *map(str, details["loc"])])
            problems.append(f"{place}: {describe_error(details, type(whole))}")
        raise ValueError("; ".join(problems)) from error
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    return chosen


def _check_known(key: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise ValueError(f"{key}: expected one of {', '.join(known)}, got '{value}'")


class ProjectParams(StudyParams, ToolParams):
    """A run's parameters: the study's, and those of the tools for anyone's checkpoints."""
