"""A wrong parameter stops before any node, with file, key and expectation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, Self

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from card24_pipeline.hooks import ParameterFileError, ProjectHooks
from card24_pipeline.settings import CONFIG_LOADER_ARGS
from card24_pipeline.versioning.config_loader import FanOutConfigLoader


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


class ScratchParams(Strict):
    kind: Literal["scratch"]
    layers: int


class FolderParams(Strict):
    kind: Literal["folder"]
    path: str


class StudyParameters(Strict):
    count: int
    sft: SftParams
    source: ScratchParams | FolderParams = Field(discriminator="kind")


BASE = "count: 0\nsft:\n  learning_rate: 0.1\n  steps: 3\nsource: {kind: scratch, layers: 2}\n"
OVERLAY = "conf/smoke/parameters.yml"


def check(project: Path, changes: dict[str, Any] | None = None, env: str = "base", **runtime: Any) -> None:
    """Check the parameters of a project, with other top-level keys in its default file; None takes one away."""
    content = {**yaml.safe_load((project / "params.yaml").read_text()), **(changes or {})}
    content = {key: value for key, value in content.items() if value is not None}
    (project / "params.yaml").write_text(yaml.safe_dump(content))
    loader = FanOutConfigLoader(str(project / "conf"), env, runtime, **CONFIG_LOADER_ARGS)
    context = SimpleNamespace(config_loader=loader, project_path=project)
    ProjectHooks(lambda: StudyParameters).after_context_created(context)  # type: ignore[arg-type]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "conf/smoke").mkdir(parents=True)
    (tmp_path / "conf/base").mkdir()
    (tmp_path / "conf/base/parameters.yml").symlink_to(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text(BASE)
    (tmp_path / OVERLAY).write_text("sft:\n  steps: 1\n")
    return tmp_path


def make(**sft: Any) -> dict[str, Any]:
    return {"sft": {"learning_rate": 0.1, "steps": 3, **sft}}


class TestParameterCheck:
    def test_right_parameters_pass(self, project: Path) -> None:
        check(project)

    def test_keys_of_the_run_are_no_parameters(self, project: Path) -> None:
        (project / "pyproject.toml").write_text("[tool.dvc_stages.fan_out.seed]\nvalues = 'seeds'\n")
        with pytest.raises(ParameterFileError, match=r"^params.yaml \(scale base\): seeds: unknown key$"):
            check(project, {"seeds": [0, 1]}, seed="all")

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
            check(project, {"sft": {"learning_rate": "fast", "steps": 1}, "sfd": 1, "count": None})
        assert str(caught.value).splitlines() == [
            "params.yaml (scale base): count: missing, and it has no default",
            "params.yaml (scale base): sft.learning_rate: expected a number, got 'fast'",
            "params.yaml (scale base): sfd: unknown key, did you mean 'sft'?",
        ]

    def test_settings_that_do_not_go_together_are_named_without_their_whole_block(self, project: Path) -> None:
        with pytest.raises(ParameterFileError) as caught:
            check(project, make(steps=101, style="steps"))
        assert str(caught.value) == "params.yaml (scale base): sft: steps 101 with style steps"
        (project / OVERLAY).write_text("sft: {steps: 101}")
        with pytest.raises(ParameterFileError) as caught:
            check(project, make(style="steps"), env="smoke")
        assert str(caught.value) == f"params.yaml and {OVERLAY} (scale smoke): sft: steps 101 with style steps"

    @pytest.mark.parametrize(
        ("overlay", "message"),
        [
            ("sft: {steps: x}", f"{OVERLAY} (scale smoke): sft.steps: expected a whole number, got 'x'"),
            ("sft: {stepz: 1}", f"{OVERLAY} (scale smoke): sft.stepz: unknown key, did you mean 'steps'?"),
            (
                "source: {_replace_: true, kind: folder}",
                f"{OVERLAY} (scale smoke): source.path: missing, and it has no default",
            ),
            (
                "source: {_replace_: true, kind: folder, path: 1}",
                f"{OVERLAY} (scale smoke): source.path: expected text, got 1",
            ),
            (
                "source: {kind: folder, path: here}",
                "params.yaml (scale smoke): source.layers: unknown key "
                f"(`_replace_: true` in source of {OVERLAY} leaves out what it does not name itself)",
            ),
        ],
        ids=["value", "key", "missing in a replacing block", "value in a replacing block", "block that should replace"],
    )
    def test_names_the_scales_own_file(self, project: Path, overlay: str, message: str) -> None:
        (project / OVERLAY).write_text(overlay)
        with pytest.raises(ParameterFileError) as caught:
            check(project, env="smoke")
        assert str(caught.value) == message

    def test_names_the_file_where_the_key_takes_effect(self, project: Path) -> None:
        with pytest.raises(ParameterFileError, match=r"^params.yaml \(scale smoke\): sft.learning_rate"):
            check(project, make(learning_rate="x"), env="smoke")
        with pytest.raises(ParameterFileError, match=r"^--params \(scale smoke\): sft.steps"):
            check(project, make(), env="smoke", sft={"steps": "x"})


THREADS = """
import os, sys
from pathlib import Path
from types import SimpleNamespace
from card24_pipeline.hooks import ProjectHooks
from card24_pipeline.settings import CONFIG_LOADER_ARGS
from card24_pipeline.versioning.config_loader import FanOutConfigLoader
from pydantic import create_model
if sys.argv[2] == "first":
    import torch
assert ("torch" in sys.modules) is (sys.argv[2] == "first")
loader = FanOutConfigLoader(sys.argv[1], "base", {}, **CONFIG_LOADER_ARGS)
hooks = ProjectHooks(lambda: create_model("Params", threads=int))
hooks.after_context_created(SimpleNamespace(config_loader=loader, project_path=Path.cwd()))
import torch
print(torch.get_num_threads(), os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"])
"""


@pytest.mark.parametrize("torch_comes", ["first", "after"])
def test_threads_are_those_of_the_scale_whatever_the_environment_says(project: Path, torch_comes: str) -> None:
    (project / "params.yaml").write_text("threads: 3\n")
    command = [sys.executable, "-c", THREADS, str(project / "conf"), torch_comes]
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "3 3 3\n", done.stderr
