from __future__ import annotations

import json
from pathlib import Path

import click
import pandas as pd
import pytest
import yaml

from card24_pipeline.pipeline_registry import TOOLS, register_pipelines
from card24_pipeline.tools.commands import measure, recover

DEFAULTS = yaml.safe_load((Path(__file__).parents[2] / "conf/base/parameters_checkpoint_tools.yml").read_text())


@pytest.fixture
def settings(save_model, tmp_path):
    donor, target = save_model("donor", seed=1, shard="8KB"), save_model("target")
    return {**DEFAULTS, "donor": str(donor), "target": str(target), "output_folder": str(tmp_path / "out")}


def test_tools_are_no_part_of_the_study() -> None:
    pipelines = register_pipelines()
    study = {node.name for node in pipelines["__default__"].nodes}
    assert pipelines.keys() > TOOLS
    assert not study & {node.name for tool in TOOLS for node in pipelines[tool].nodes}


def test_recovery_takes_its_settings_from_the_parameters(settings, tmp_path) -> None:
    report = recover(settings | {"method": "layer_reset", "quarter": 2, "sft": "a key of the study"})
    assert report["edit"] == "layer_reset donor=donor quarter=2"
    assert json.loads((tmp_path / "out" / "recovery_report.json").read_text())["tensors_touched"] == 9
    usual = recover(settings | {"output_folder": str(tmp_path / "usual")})
    assert usual["edit"] == "uv_top donor=donor top_fraction=0.2"
    adapter = recover(settings | {"output": "adapter", "matrices": "mlp", "output_folder": str(tmp_path / "lora")})
    assert adapter["tensors_touched"] == 12
    assert (tmp_path / "lora" / "adapter_config.json").is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"donor": None}, r"^donor: name a checkpoint folder or hub:"),
        ({"target": "nowhere"}, "^nowhere is no folder"),
        ({"probe": "gone.jsonl"}, "^gone.jsonl is missing"),
        ({"method": "singular_values", "probe": "gone.jsonl"}, "singular_values has no knob to choose"),
        ({"method": "interpolation", "output": "adapter"}, "is no low-rank update"),
        ({"method": "interpolated"}, "no method is called 'interpolated'"),
        ({"knob": 1.5}, "top_fraction: expected a number from 0 to 1, got 1.5"),
    ],
)
def test_wrong_settings_are_said_in_a_line_and_leave_nothing(settings, tmp_path, changes, message) -> None:
    with pytest.raises(click.ClickException, match=message):
        recover(settings | changes)
    assert not (tmp_path / "out").exists()


def test_spectra_of_any_pair_are_written_as_tables(settings, tmp_path) -> None:
    found = measure(settings)
    table = pd.read_csv(tmp_path / "out" / "spectra.csv")
    assert set(table["model"]) == {"observed", "gaussian", "spectrum_matched"}
    assert table["tensor"].nunique() == 28
    assert len(pd.read_parquet(tmp_path / "out" / "spectra_by_index.parquet")) > 0
    # The smallest fraction is a direction of the larger matrices only.
    assert (table.loc[table["fraction"] == 0.05, "rows"] >= 16).all()
    assert len(found["means"]) == 3 * (1 + 3 * len(DEFAULTS["spectra_fractions"]))
    with pytest.raises(click.ClickException, match="already exists"):
        measure(settings)
