"""A wrong parameter stops before any node, with file, key and expectation."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from card24_pipeline.hooks import ParameterFileError, ProjectHooks


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SftParams(Strict):
    learning_rate: float
    steps: int = Field(gt=0)
    style: Literal["formula", "steps"] = "formula"

    @model_validator(mode="after")
    def check_together(self) -> Self:
        if self.steps > 100 and self.style == "steps":
            raise ValueError(f"steps {self.steps} with style steps")
        return self


class StudyParameters(Strict):
    seed: int
    sft: SftParams


BASE = "seed: 0\nsft:\n  learning_rate: 0.1\n  steps: 3\n"


def check(project: Path, params: dict[str, Any], env: str | None = None, **runtime: Any) -> None:
    context = SimpleNamespace(
        config_loader={"parameters": params}, env=env, project_path=project, _runtime_params=runtime
    )
    ProjectHooks(lambda: StudyParameters).after_context_created(context)  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conf/smoke").mkdir(parents=True)
    (tmp_path / "params.yaml").write_text(BASE)
    (tmp_path / "conf/smoke/parameters.yml").write_text("sft:\n  steps: 1\n")
    return tmp_path


def make(**sft: Any) -> dict[str, Any]:
    return {"seed": 0, "sft": {"learning_rate": 0.1, "steps": 3, **sft}}


class TestParameterCheck:
    def test_right_parameters_pass(self, project: Path) -> None:
        check(project, make())

    def test_run_over_all_seeds_passes(self, project: Path) -> None:
        check(project, {**make(), "seed": "all"}, seed="all")

    @pytest.mark.parametrize(
        ("sft", "message"),
        [
            ({"learning_rate": "fast"}, "sft.learning_rate: expected a number, got 'fast'"),
            ({"steps": 1.5}, "sft.steps: expected a whole number, got 1.5"),
            ({"steps": 0}, "sft.steps: expected greater than 0, got 0"),
            ({"style": "poem"}, "sft.style: expected 'formula' or 'steps', got 'poem'"),
            ({"learnin_rate": 1}, "sft.learnin_rate: unknown key, did you mean 'learning_rate'?"),
            ({"zzz": 1}, "sft.zzz: unknown key"),
        ],
    )
    def test_message(self, project: Path, sft: dict[str, Any], message: str) -> None:
        with pytest.raises(ParameterFileError) as caught:
            check(project, make(**sft))
        assert str(caught.value) == f"params.yaml (scale base): {message}"

    def test_every_error_has_a_line(self, project: Path) -> None:
        with pytest.raises(ParameterFileError) as caught:
            check(project, {"sft": {"learning_rate": "fast", "steps": 1}, "sfd": 1})
        assert str(caught.value).splitlines() == [
            "params.yaml (scale base): seed: missing, and it has no default",
            "params.yaml (scale base): sft.learning_rate: expected a number, got 'fast'",
            "params.yaml (scale base): sfd: unknown key, did you mean 'sft'?",
        ]

    def test_settings_that_do_not_go_together_are_named_without_their_whole_block(self, project: Path) -> None:
        with pytest.raises(ParameterFileError) as caught:
            check(project, make(steps=101, style="steps"))
        assert str(caught.value) == "params.yaml (scale base): sft: steps 101 with style steps"
        with pytest.raises(ParameterFileError) as caught:
            check(project, make(steps=101, style="steps"), env="smoke")
        assert str(caught.value).startswith("params.yaml and conf/smoke/parameters.yml (scale smoke): sft: steps 101")

    def test_names_the_file_where_the_key_takes_effect(self, project: Path) -> None:
        with pytest.raises(ParameterFileError, match=r"^conf/smoke/parameters.yml \(scale smoke\): sft.steps"):
            check(project, make(steps="x"), env="smoke")
        with pytest.raises(ParameterFileError, match=r"^params.yaml \(scale smoke\): sft.learning_rate"):
            check(project, make(learning_rate="x"), env="smoke")
        with pytest.raises(ParameterFileError, match=r"^--params \(scale smoke\): sft.steps"):
            check(project, make(steps="x"), env="smoke", sft={"steps": "x"})
