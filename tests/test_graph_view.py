"""The graph that kedro viz shows: datasets named once, nodes described, layers in the order of the study."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node

from card24_pipeline.graph_view import VIEW_VARIABLE, merge_twins, name_twins
from card24_pipeline.pipeline_registry import register_pipelines
from card24_pipeline.settings import CONFIG_LOADER_ARGS

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
        node(grade, ["hands", "params:rate"], "scores@seed", name="grade", namespace="sft", tags="quick"),
        node(report, {"scores": "scores@all_seeds"}, ["page@text"], name="report"),
    ]
)
CATALOG = {
    "hands": {"type": "pandas.CSVDataset", "filepath": "hands.csv"},
    "scores@seed": {"type": "pandas.CSVDataset", "filepath": "seed_0/scores.csv"},
    "scores@all_seeds": {
        "type": "card24_pipeline.catalog.per_seed.PerSeedDataset",
        "filepath": "seed_{seed}/scores.parquet",
    },
    "page@file": {"type": "card24_pipeline.catalog.file_path.FilePathDataset", "filepath": "page.md"},
    "page@text": {"type": "text.TextDataset", "filepath": "page.md"},
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


def test_plain_name_stands_for_the_twin_that_writes() -> None:
    catalog = DataCatalog.from_config(CATALOG)
    name_twins(catalog)
    assert catalog.get("scores") is catalog.get("scores@seed")
    assert catalog.get("page") is catalog.get("page@text")
    assert set(catalog.keys()) == {*CATALOG, "scores", "page"}


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
        loader = OmegaConfigLoader(str(PROJECT / "conf"), env="smoke", **CONFIG_LOADER_ARGS)
        layers = {name: entry["metadata"]["kedro-viz"]["layer"] for name, entry in loader["catalog"].items()}
        before: dict[str, set[str]] = {layer: set() for layer in layers.values()}
        for item in register_pipelines()["__default__"].nodes:
            sources = {layers[name] for name in item.inputs if not name.startswith("params:")}
            for name in item.outputs:
                before[layers[name]] |= sources - {layers[name]}
        order = tuple(TopologicalSorter(before).static_order())
        assert order[:4] == ("raw", "model_input", "base", "sft")
        assert set(order[4:-2]) == {"rl", "spectra", "recovery"}
        assert order[-2:] == ("reporting", "tracking")
        twins = {name.partition("@")[0]: layer for name, layer in layers.items()}
        assert {name: layer for name, layer in layers.items() if twins[name.partition("@")[0]] != layer} == {}
