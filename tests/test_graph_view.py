"""The graph that kedro viz shows: datasets named once, nodes described, layers in the order of the study."""

from __future__ import annotations

import inspect
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import CatalogConfigResolver, DataCatalog
from kedro.pipeline import Pipeline, node

from card24_pipeline.catalog.table import TableDataset
from card24_pipeline.graph_view import VIEW_VARIABLE, merge_twins, prepare_catalog, preview_table
from card24_pipeline.pipeline_registry import register_pipelines
from card24_pipeline.settings import CONFIG_LOADER_ARGS
from card24_pipeline.versioning.config_loader import FanOutConfigLoader

PROJECT = Path(__file__).parents[1]


def grade(hands: Any, rate: float) -> Any:
    """Grade the hands
    of one seed.

    Returns:
        What no preview shows.
    """


def report(*, scores: Any) -> Any:
    return scores


PIPELINE = Pipeline(
    [
        node(grade, ["hands", "params:rate"], "scores@one", name="grade", namespace="sft", tags="quick"),
        node(report, {"scores": "scores@all"}, ["page@text"], name="report"),
    ]
)
CATALOG = {
    "hands": {"type": "pandas.CSVDataset", "filepath": "hands.csv"},
    "scores@one": {"type": "pandas.CSVDataset", "filepath": "seed_0/scores.csv"},
    "scores@all": {
        "type": "card24_pipeline.catalog.fan_in.FanInDataset",
        "filepath": "seed_{seed}/scores.parquet",
        "run": {"seed": 0},
        "columns": {"score": "double"},
    },
    "page@file": {"type": "card24_pipeline.catalog.paths.FilePathDataset", "filepath": "page.md"},
    "{name}@text": {"type": "text.TextDataset", "filepath": "{name}.md"},
}


class TestMergeTwins:
    def test_datasets_are_named_once(self) -> None:
        graded, reported = merge_twins(PIPELINE).nodes
        assert (graded.inputs, graded.outputs) == (["hands", "params:rate"], ["scores"])
        assert (reported.inputs, reported.outputs) == (["scores"], ["page"])
        assert [(item.name, item.namespace, item.tags) for item in (graded, reported)] == [
            ("sft.grade", "sft", {"quick"}),
            ("report", None, set()),
        ]

    def test_preview_is_the_first_paragraph_in_one_line(self) -> None:
        graded, reported = (item.preview() for item in merge_twins(PIPELINE).nodes)
        assert graded is not None
        assert graded.to_dict() == {"kind": "text", "content": "Grade the hands of one seed.", "meta": None}
        assert reported is not None
        assert reported.to_dict()["content"] == ""


def test_plain_name_stands_for_the_twin_that_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TableDataset, "preview", None, raising=False)  # and removed again after the test
    catalog = DataCatalog.from_config(CATALOG)
    merge_twins(PIPELINE)
    prepare_catalog(catalog)
    assert catalog.get("scores") is catalog.get("scores@one")
    assert TableDataset.preview is preview_table
    assert catalog.get("page") is catalog.get("page@text")
    assert "hands@text" not in catalog.keys()  # noqa: SIM118 - the catalog is no mapping


def test_preview_has_the_first_rows_under_the_type_that_kedro_viz_looks_for(tmp_path: Path) -> None:
    columns = {"split": "string", "loss": "double"}
    dataset = TableDataset(filepath=str(tmp_path / "a.parquet"), columns=columns, doubles_may_be_empty=True)
    assert not hasattr(dataset, "preview")
    dataset.save(pd.DataFrame({"split": ["sft", "ood"], "loss": [float("nan"), 1.0]}))
    assert inspect.signature(preview_table).return_annotation == "TablePreview"
    assert preview_table(dataset, nrows=1) == {"index": [0], "columns": ["split", "loss"], "data": [["sft", None]]}
    dataset.save(pd.DataFrame({"split": [], "loss": []}, dtype="float64"))
    assert preview_table(dataset)["data"] == []


class TestStudy:
    def test_twins_are_merged_only_for_viewing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(VIEW_VARIABLE, raising=False)
        runs = register_pipelines()["__default__"]
        monkeypatch.setenv(VIEW_VARIABLE, "1")
        shown = register_pipelines()["__default__"]
        assert shown.datasets() == {name.partition("@")[0] for name in runs.datasets()}
        assert any("@" in name for name in runs.datasets())
        previews = {item.name: item.preview() for item in shown.nodes}
        assert [name for name, preview in previews.items() if not preview or not preview.to_dict()["content"]] == []

    def test_every_dataset_has_a_layer_and_the_layers_form_no_circle(self) -> None:
        loader = FanOutConfigLoader(str(PROJECT / "conf"), env="smoke", **CONFIG_LOADER_ARGS)
        catalog = CatalogConfigResolver(loader["catalog"])
        study = register_pipelines()["__default__"]
        names = [name for name in study.datasets() if not name.startswith("params:")]
        layers = {name: catalog.resolve_pattern(name)["metadata"]["kedro-viz"]["layer"] for name in names}
        before: dict[str, set[str]] = {layer: set() for layer in layers.values()}
        for item in study.nodes:
            sources = {layers[name] for name in item.inputs if not name.startswith("params:")}
            for name in item.outputs:
                before[layers[name]] |= sources - {layers[name]}
        order = tuple(TopologicalSorter(before).static_order())
        assert order[:4] == ("raw", "model_input", "base", "sft")
        assert set(order[4:-2]) == {"rl", "spectra", "recovery"}
        assert order[-2:] == ("reporting", "tracking")
        twins = {name.partition("@")[0]: layer for name, layer in layers.items()}
        assert {name: layer for name, layer in layers.items() if twins[name.partition("@")[0]] != layer} == {}
