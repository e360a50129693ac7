"""Stages built from a graph in memory, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from kedro.pipeline import Pipeline, node

from card24_pipeline.versioning.code_closure import CodeClosure
from card24_pipeline.versioning.datasets import describe_datasets, mark_keys
from card24_pipeline.versioning.dvc_file import list_lock_entries, render_dvc_files
from card24_pipeline.versioning.fan_out import FanOut
from card24_pipeline.versioning.parameter_files import ParameterFiles
from card24_pipeline.versioning.settings import FanOutKey
from card24_pipeline.versioning.stages import Stage, StageBuilder, is_data
from card24_pipeline.versioning.validation import VersioningError

KEYS = {
    "seed": FanOutKey(values="seeds"),
    "start": FanOutKey(values="starts"),
    "arm": FanOutKey(values="arms", implies={"start": "from"}),
}
PARAMS = {
    "seeds": [0, 1],
    "rate": 0.1,
    "starts": {"cold": {"steps": 1}, "warm": {"steps": 2}},
    "arms": {"plain": {"from": "warm", "code": "leaf"}, "anchored": {"from": "cold", "code": "other"}},
}
ROOT = Path("/project")
BASE, SMOKE = ("base", "dvc.yaml", "conf/base"), ("smoke", "conf/smoke/dvc.yaml", "conf/smoke")
APART = KEYS | {"seed": FanOutKey(values="seeds", folder="seed_{seed}")}
KEPT = "data/08_reporting"


def work(*args: Any) -> Any:
    return args


def parquet(path: str, **more: Any) -> dict[str, Any]:
    return {"type": "pandas.ParquetDataset", "filepath": path, **more}


CATALOG = {
    "hands": parquet("data/01_raw/base/shared/hands.parquet"),
    "model": {
        "type": "partitions.PartitionedDataset",
        "path": "data/06_models/base/seed_SEED/model",
        "dataset": "x.Y",
    },
    "scores@one": parquet("data/07_model_output/base/seed_SEED/scores.parquet"),
    "scores@all": {"type": "FanIn", "filepath": "data/07_model_output/base/seed_{seed}/scores.parquet"},
    "progress": parquet("data/progress/seed_SEED", metadata={"dvc": {"track": False}}),
    "notes": parquet("data/notes", metadata={"dvc": {"track": False}}),
    "table": parquet("data/08_reporting/base/table.parquet"),
    "begun": parquet("data/seed_SEED/START/begun"),
    "ended@one": parquet("data/seed_SEED/arms/ARM/ended"),
    "ended@all": {"type": "FanIn", "filepath": "data/seed_{seed}/arms/{arm}/ended"},
}


def fill(value: Any, marks: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: fill(item, marks) for key, item in value.items()}
    for key, mark in marks.items():
        value = value.replace(key.upper(), mark) if isinstance(value, str) else value
    return value


def build(
    nodes: list[Any],
    params: dict[str, Any] | None = None,
    keys: dict[str, FanOutKey] = KEYS,
    code: CodeClosure | None = None,
    everywhere: Sequence[str] = (),
    **entries: Any,
) -> list[Stage]:
    pipeline, params = Pipeline(nodes), PARAMS | (params or {})
    catalog = fill({**deepcopy(CATALOG), **entries}, mark_keys(keys))
    return StageBuilder(
        pipeline,
        describe_datasets(catalog, filter(is_data, pipeline.datasets()), keys, ROOT),
        ParameterFiles([{"params.yaml": params}]),
        FanOut(keys, params),
        code or CodeClosure("no_such_package", ROOT / "src", ROOT),
        "data",
        everywhere,
    ).build()


def render(scale: tuple[str, str, str], stages: list[Stage], kept: str | None = None) -> str:
    """Render stages that all stand in the scale's own file."""
    (text,) = render_dvc_files(*scale, stages, kept).values()
    return text


DEAL = node(work, "params:rate", "hands", name="deal")
TRAIN = node(work, ["hands", "params:seed", "progress"], "model", name="train")
SCORE = node(work, ["model"], "scores@one", name="score")
REPORT = node(work, ["scores@all", "params:seeds"], "table", name="report")
BEGIN = node(work, ["hands", "params:starts", "params:start"], "begun", name="begin")
END = node(work, ["begun", "params:arms", "params:arm"], "ended@one", name="end")
TRAIN_ALONE = node(work, ["hands", "params:seed"], "model", name="train")
TRAINED = ("train", "begin-cold", "begin-warm")
JUDGE_TOO = node(work, ["ended@all", "params:seeds", "params:arms"], "judged", name="judge")
JUDGE = node(work, ["ended@all", "params:seeds", "params:arms"], "table", name="judge")


class TestStages:
    def test_shared_stage_has_no_keys(self) -> None:
        (deal,) = build([DEAL])
        assert (deal.matrix, deal.run, deal.data) == ({}, {}, ())
        assert deal.params == (("params.yaml", ("rate",)),)
        assert deal.outs == ("data/01_raw/base/shared/hands.parquet",)

    def test_stage_whose_outputs_have_a_key_runs_for_each_value(self) -> None:
        _, train = build([TRAIN, DEAL])
        assert train.matrix == {"seed": (0, 1)}
        assert train.run == {"seed": "${item.seed}"}
        assert train.data == ("data/01_raw/base/shared/hands.parquet",)
        assert train.outs == ("data/06_models/base/seed_${item.seed}/model",)
        assert train.params == ()

    def test_fan_in_reads_each_listed_value(self) -> None:
        report = build([DEAL, TRAIN, SCORE, REPORT])[-1]
        assert (report.matrix, report.run) == ({}, {"seed": "all"})
        assert report.data == tuple(f"data/07_model_output/base/seed_{n}/scores.parquet" for n in (0, 1))

    def test_stage_with_a_key_reads_its_own_value_of_a_fan_in(self) -> None:
        own = node(work, "scores@all", "own", name="own")
        (stage,) = build([own], own=parquet("data/08_reporting/base/seed_SEED/own.parquet"))
        assert stage.data == ("data/07_model_output/base/seed_${item.seed}/scores.parquet",)
        assert stage.run == {"seed": "${item.seed}"}

    def test_untracked_datasets_are_neither_read_nor_written(self) -> None:
        train = build([DEAL, node(work, ["hands", "progress"], ["model", "notes"], name="train")])[-1]
        assert train.data == ("data/01_raw/base/shared/hands.parquet",)
        assert train.outs == ("data/06_models/base/seed_${item.seed}/model",)
        assert build([node(work, "hands", "notes", name="note")]) == []

    def test_final_memory_output_makes_no_stage(self) -> None:
        assert build([node(work, "hands", "shown", name="show")]) == []

    def test_order_follows_the_graph_then_the_name(self) -> None:
        other = node(work, None, "other", name="a_last")
        stages = build([REPORT, SCORE, other, TRAIN, DEAL], other=parquet("data/other"))
        assert [stage.name for stage in stages] == ["a_last", "deal", "train", "score", "report"]

    def test_text_of_the_file(self) -> None:
        text = render(SMOKE, build([DEAL, TRAIN, SCORE, REPORT]), KEPT)
        assert text.startswith("# Generated by `kedro dvc sync`")
        assert "cmd: kedro run --env=smoke --nodes=train --params=seed=${item.seed}\n" in text
        assert "cmd: kedro run --env=smoke --nodes=report --params=seed=all\n" in text
        assert "cmd: kedro run --env=smoke --nodes=deal\n    wdir: ../..\n" in text
        assert "- data/08_reporting/base/table.parquet:\n          cache: false\n" in text

    def test_metrics_and_plots_are_shown_beside_the_stages(self) -> None:
        settings = {"title": "Curve", "y": ["ood", "id"], "x": "step"}
        entries = {
            "curve": parquet("data/08_reporting/base/curve.csv", metadata={"dvc": {"plots": settings}}),
            "figure": parquet("data/08_reporting/base/seed_SEED/figure.png", metadata={"dvc": {"plots": True}}),
            "summary": parquet("data/08_reporting/base/summary.json", metadata={"dvc": {"metrics": True}}),
        }
        draw = node(work, ["scores@one"], "figure", name="draw")
        report = node(work, ["scores@all", "params:seeds"], ["curve", "summary"], name="report")
        stages = build([draw, report], **entries)
        content = yaml.safe_load(render(SMOKE, stages, KEPT))
        assert content["metrics"] == ["../../data/08_reporting/base/summary.json"]
        assert content["plots"] == [
            "../../data/08_reporting/base/seed_0/figure.png",
            "../../data/08_reporting/base/seed_1/figure.png",
            {"../../data/08_reporting/base/curve.csv": settings},
        ]
        outs = [{f"data/08_reporting/base/{name}": {"cache": False}} for name in ("curve.csv", "summary.json")]
        assert content["stages"]["report"]["outs"] == outs
        base = yaml.safe_load(render(BASE, stages))
        assert base["metrics"] == ["data/08_reporting/base/summary.json"]
        assert base["stages"]["report"]["outs"] == [path for out in outs for path in out]

    def test_nothing_to_show_is_not_mentioned(self) -> None:
        assert list(yaml.safe_load(render(BASE, build([DEAL]), KEPT))) == ["stages"]


class TestBlocks:
    def test_each_block_is_a_stage_that_depends_on_itself_alone(self) -> None:
        _, cold, warm = build([DEAL, BEGIN])
        assert [cold.name, warm.name] == ["begin-cold", "begin-warm"]
        assert warm.params == (("params.yaml", ("starts.warm",)),)
        assert warm.run == {"seed": "${item.seed}", "start": "warm"}
        assert warm.outs == ("data/seed_${item.seed}/warm/begun",)

    def test_what_a_block_implies_is_read_but_neither_run_nor_named(self) -> None:
        plain, anchored = build([DEAL, BEGIN, END])[-2:]
        assert [plain.name, anchored.name] == ["end-plain", "end-anchored"]
        assert plain.data == ("data/seed_${item.seed}/warm/begun",)
        assert anchored.data == ("data/seed_${item.seed}/cold/begun",)
        assert plain.run == {"seed": "${item.seed}", "arm": "plain"}

    def test_implied_block_is_read_alone_too(self) -> None:
        end = node(work, ["begun", "params:starts", "params:start"], "ended@one", name="end")
        assert [stage.params for stage in build([end])] == [
            (("params.yaml", (f"starts.{n}",)),) for n in ("warm", "cold")
        ]

    def test_fan_in_reads_every_block_and_depends_on_all(self) -> None:
        judge = build([DEAL, BEGIN, END, JUDGE])[-1]
        assert judge.run == {"seed": "all", "arm": "all"}
        assert judge.params == (("params.yaml", ("arms", "seeds")),)
        assert len(judge.data) == 4

    def test_stage_of_one_seed_brings_blocks_together(self) -> None:
        each = node(work, ["ended@all", "params:arms"], "each", name="each")
        (stage,) = build([each], each=parquet("data/seed_SEED/each"))
        assert stage.run == {"seed": "${item.seed}", "arm": "all"}
        assert stage.data == tuple(f"data/seed_${{item.seed}}/arms/{arm}/ended" for arm in ("anchored", "plain"))

    def test_one_output_must_not_serve_several_blocks(self) -> None:
        end = node(work, ["begun", "params:arm"], ["ended@one", "model"], name="end")
        with pytest.raises(VersioningError, match="'end' runs for each arm, but writes 'model' to one path"):
            build([end])

    @pytest.mark.parametrize("block", [{}, {"from": "hot"}])
    def test_what_a_block_implies_must_be_there(self, block: dict[str, str]) -> None:
        with pytest.raises(VersioningError, match=r"arms.plain.from: expected one of cold, warm, got"):
            build([END], params={"arms": {"plain": block}})


class TestFolders:
    """Stages of single values of a key in files of their own."""

    def test_each_value_has_stages_of_its_own(self) -> None:
        stages = build([DEAL, TRAIN, SCORE, REPORT, BEGIN, END, JUDGE_TOO], keys=APART, judged=parquet("data/judged"))
        names = [(stage.folder, stage.name) for stage in stages]
        assert [name for name in names if "train" in name[1]] == [("seed_0", "train"), ("seed_1", "train")]
        assert ("seed_1", "begin-warm") in names
        assert {name for name in names if not name[0]} == {("", "deal"), ("", "report"), ("", "judge")}
        (begin,) = [stage for stage in stages if (stage.folder, stage.name) == ("seed_1", "begin-warm")]
        assert (begin.matrix, begin.run) == ({}, {"seed": 1, "start": "warm"})
        assert begin.outs == ("data/seed_1/warm/begun",)
        assert begin.data == ("data/01_raw/base/shared/hands.parquet",)
        report = next(stage for stage in stages if stage.name == "report")
        assert report.data == tuple(f"data/07_model_output/base/seed_{n}/scores.parquet" for n in (0, 1))

    def test_texts_of_the_files(self) -> None:
        figure = parquet("data/08_reporting/base/seed_SEED/figure.png", metadata={"dvc": {"plots": True}})
        show = node(work, ["figure@all", "params:seeds"], "table", name="show")
        entries = {
            "figure@one": figure,
            "figure@all": {"type": "FanIn", "filepath": "data/08_reporting/base/seed_{seed}/figure.png"},
        }
        draw = node(work, ["scores@one"], "figure@one", name="draw")
        stages = build([DEAL, TRAIN, SCORE, draw, show], keys=APART, **entries)
        texts = render_dvc_files(*BASE, stages, KEPT)
        assert list(texts) == ["dvc.yaml", "conf/base/seed_0/dvc.yaml", "conf/base/seed_1/dvc.yaml"]
        own = yaml.safe_load(texts["conf/base/seed_1/dvc.yaml"])
        assert list(own["stages"]) == ["train", "score", "draw"]
        assert own["stages"]["train"] == {
            "cmd": "kedro run --env=base --nodes=train --params=seed=1",
            "wdir": "../../..",
            "deps": ["data/01_raw/base/shared/hands.parquet"],
            "outs": ["data/06_models/base/seed_1/model"],
        }
        assert own["plots"] == ["../../../data/08_reporting/base/seed_1/figure.png"]
        assert list(render_dvc_files(*SMOKE, stages, KEPT))[1] == "conf/smoke/seed_0/dvc.yaml"

    def test_lock_entries(self) -> None:
        (text,) = render_dvc_files(*BASE, build([DEAL, TRAIN, BEGIN]), None).values()
        named = {f"{name}@{n}" for name in TRAINED for n in (0, 1)}
        assert list_lock_entries(text) == ["deal", *sorted(named)]

    def test_what_nothing_brings_together_is_refused(self) -> None:
        with pytest.raises(VersioningError, match=r"^node 'train': nothing brings together what it writes for seed_0"):
            build([DEAL, TRAIN, SCORE], keys=APART)
        history = {"history": parquet("data/seed_SEED/history")}
        unread = node(work, ["hands", "params:seed"], ["model", "history"], name="train")
        assert len(build([DEAL, unread, SCORE, REPORT], keys=APART, **history)) == 6

    def test_parameters_of_every_stage(self) -> None:
        deal, train = build([DEAL, TRAIN], {"threads": 1}, everywhere=["threads"])
        assert deal.params == (("params.yaml", ("rate", "threads")),)
        assert train.params == (("params.yaml", ("threads",)),)
        with pytest.raises(VersioningError, match=r"params:thread: no such key .* did you mean 'threads'"):
            build([DEAL], {"threads": 1}, everywhere=["thread"])


class TestSharing:
    """What a scale keeps once although its node takes a key."""

    @pytest.mark.parametrize("keys", [KEYS, APART])
    def test_key_is_none_for_what_all_values_share(self, keys: dict[str, FanOutKey]) -> None:
        shareable = {"dvc": {"shareable": True}}
        shared = {"model": parquet("data/shared/model", metadata=shareable)}
        stages = build([DEAL, TRAIN_ALONE, SCORE, REPORT], keys=keys, **shared)
        train = next(stage for stage in stages if stage.name == "train")
        assert (train.folder, train.matrix, train.run) == ("", {}, {"seed": "none"})
        score = next(stage for stage in stages if stage.name == "score")
        assert score.data == ("data/shared/model",)
        own = {"model": parquet("data/seed_SEED/model", metadata=shareable)}
        train = next(
            stage for stage in build([DEAL, TRAIN_ALONE, SCORE, REPORT], keys=keys, **own) if stage.name == "train"
        )
        assert train.run["seed"] in (0, "${item.seed}")

    def test_every_output_must_allow_it(self) -> None:
        train = node(work, ["hands", "params:seed"], ["model", "table"], name="train")
        shared = {"model": parquet("data/shared/model", metadata={"dvc": {"shareable": True}})}
        with pytest.raises(VersioningError, match="'train' takes params:seed, but writes nothing for each seed"):
            build([DEAL, train], **shared)


class TestMemory:
    def test_nodes_that_pass_data_in_memory_are_one_stage(self) -> None:
        make = node(work, "params:rate", ["passed", "kept"], name="make", namespace="first")
        take = node(work, ["passed", "kept", "params:seed"], "model", name="take")
        (stage,) = build([make, take], kept=parquet("data/seed_SEED/kept"))
        assert (stage.name, stage.nodes) == ("take", ("first.make", "take"))
        assert stage.data == ()
        assert stage.outs == ("data/06_models/base/seed_${item.seed}/model", "data/seed_${item.seed}/kept")
        assert stage.params == (("params.yaml", ("rate",)),)
        assert "--nodes=first.make,take --params=seed" in render(BASE, [stage])

    def test_several_readers_join(self) -> None:
        split = node(work, "hands", ["left", "right"], name="split")
        fit = node(work, "left", "fitted", name="fit")
        test = node(work, ["fitted", "right"], "verdict", name="test")
        (stage,) = build([split, fit, test], fitted=parquet("data/fitted"))
        assert stage.nodes == ("split", "fit", "test")
        assert stage.data == ("data/01_raw/base/shared/hands.parquet",)

    def test_another_stage_in_between_is_refused(self) -> None:
        make = node(work, None, ["passed", "hands"], name="make")
        between = node(work, "hands", "table", name="between")
        take = node(work, ["passed", "table"], "other", name="take")
        with pytest.raises(VersioningError, match=r"^nodes make, take pass data in memory, but another stage between"):
            build([make, between, take], other=parquet("data/other"))


REFUSED = {
    "memory from nowhere": (
        [node(work, "passed", "hands", name="take")],
        {},
        "dataset 'passed' is in memory, but node 'take' reads it and nothing makes it",
    ),
    "two nodes write one path": (
        [DEAL, node(work, None, "again", name="again")],
        {"again": parquet("data/01_raw/base/shared/../shared/hands.parquet")},
        "stages 'again' and 'deal' write one path",
    ),
    "one output inside another": (
        [DEAL, node(work, None, "inner", name="inner")],
        {"inner": parquet("data/01_raw/base/shared")},
        "stages 'inner' and 'deal' write one path",
    ),
    "output outside data": (
        [DEAL],
        {"hands": parquet("results/hands.parquet")},
        "'deal' writes 'hands' outside data/",
    ),
    "output up and out": ([DEAL], {"hands": parquet("data/../hands")}, "'deal' writes 'hands' outside data/"),
    "absolute output": ([DEAL], {"hands": parquet("/tmp/hands")}, "outside data/: /tmp/hands"),
    "remote output": ([DEAL], {"hands": parquet("s3://data/hands")}, "outside data/"),
    "no path": (
        [DEAL],
        {"hands": {"type": "pandas.SQLTableDataset"}},
        "'hands' .*: neither `filepath` nor `path`",
    ),
    "versioned": ([DEAL], {"hands": parquet("data/h", versioned=True)}, "'hands': `versioned: true`"),
    "typo in metadata": (
        [DEAL],
        {"hands": parquet("data/h", metadata={"dvc": {"tracked": False}})},
        "'hands': metadata.dvc.tracked: unknown key, did you mean 'track'",
    ),
    "shared reads one seed": (
        [node(work, "scores@one", "table", name="report")],
        {},
        "'report' uses 'scores@one', which each seed has its own, but writes nothing for each: .*{seed} in its path",
    ),
    "shared takes the seed": (
        [node(work, "params:seed", "hands", name="deal")],
        {},
        "'deal' takes params:seed, but writes nothing for each seed",
    ),
    "fan-in without the list": (
        [node(work, "scores@all", "table", name="report")],
        {},
        "'report' brings every seed together, so it must take 'params:seeds'",
    ),
    "fan-in written": (
        [node(work, None, "scores@all", name="bad")],
        {},
        "'bad' writes 'scores@all', which only reads",
    ),
    "unknown parameter": (
        [node(work, "params:rat", "hands", name="deal")],
        {},
        "'deal': params:rat: .* 'rate'",
    ),
    "all parameters": ([node(work, "parameters", "hands", name="deal")], {}, "'deal' takes all parameters"),
    "one name in two namespaces": (
        [node(work, None, "hands", name="deal", namespace="a"), node(work, None, "table", name="deal", namespace="b")],
        {},
        "nodes 'a.deal' and 'b.deal' would be one stage",
    ),
    "name that DVC refuses": ([node(work, None, "hands", name="game.deal")], {}, "DVC allows letters"),
}


class TestRefused:
    @pytest.mark.parametrize(("nodes", "entries", "message"), REFUSED.values(), ids=REFUSED)
    def test_graph(self, nodes: list[Any], entries: dict[str, Any], message: str) -> None:
        with pytest.raises(VersioningError, match=message):
            build(nodes, **entries)

    @pytest.mark.parametrize("seeds", [None, [], [0, 0], ["a b"], [True], [-1], 3])
    def test_seeds(self, seeds: Any) -> None:
        with pytest.raises(VersioningError, match=r"^seeds: expected different whole numbers or names"):
            build([SCORE], params={"seeds": seeds})


def test_a_stage_drops_its_node_s_namespace_and_runs_the_node_by_its_whole_name() -> None:
    (stage,) = build([node(work, None, "hands", name="deal", namespace="game")])
    assert (stage.name, stage.nodes) == ("deal", ("game.deal",))
    assert "kedro run --env=base --nodes=game.deal\n" in render(BASE, [stage])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose modules import each other in every way that counts."""
    sources = {
        "__init__": "",
        "top": "from closure_toy.deep import leaf\n",
        "lazy": "def run():\n    import closure_toy.deep.other\n",
        "typed": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import closure_toy.top\n",
        "deep/__init__": "from closure_toy import from_init\n",
        "deep/leaf": "",
        "deep/other": "from . import leaf\n",
        "from_init": "import json\n",
        "datasets": "",
    }
    for name, text in sources.items():
        path = tmp_path / "src/closure_toy" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    return tmp_path


class TestCodeClosure:
    DEEP = ("__init__.py", "deep/__init__.py", "deep/leaf.py", "from_init.py")

    def list_names(self, package: Path, *modules: str) -> tuple[str, ...]:
        files = CodeClosure("closure_toy", package / "src", package).list_files(set(modules))
        assert all(name.startswith("src/closure_toy/") for name in files)
        return tuple(name.removeprefix("src/closure_toy/") for name in files)

    def test_follows_imports_and_the_init_files_on_the_way(self, package: Path) -> None:
        assert self.list_names(package, "closure_toy.top") == (*self.DEEP, "top.py")

    def test_follows_imports_inside_functions(self, package: Path) -> None:
        names = self.list_names(package, "closure_toy.lazy")
        assert set(names) == {*self.DEEP, "deep/other.py", "lazy.py"}

    def test_skips_imports_for_type_checking(self, package: Path) -> None:
        assert self.list_names(package, "closure_toy.typed") == ("__init__.py", "typed.py")

    def test_passes_over_other_packages(self, package: Path) -> None:
        assert self.list_names(package, "json", "closure_toyish.x") == ()

    def test_unknown_module_is_named(self, package: Path) -> None:
        with pytest.raises(VersioningError, match=r"closure_toy\.gone: not found"):
            self.list_names(package, "closure_toy.gone")

    def test_stage_takes_wrapped_function_and_own_dataset_class(
        self, package: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "closure_toy.top", ModuleType("closure_toy.top"))

        def run() -> None: ...

        run.__module__ = "closure_toy.top"
        own = {"type": "closure_toy.datasets.Own", "filepath": "data/own"}
        closure = CodeClosure("closure_toy", package / "src", package)
        (stage,) = build([node(partial(run), None, "own", name="run")], {}, {}, closure, own=own)
        assert "src/closure_toy/datasets.py" in stage.code
        assert "src/closure_toy/deep/leaf.py" in stage.code

    def test_discovered_modules_count_with_whoever_reaches_the_discoverer(self, package: Path) -> None:
        closure = CodeClosure("closure_toy", package / "src", package, {"closure_toy.from_init": "closure_toy.t*"})
        assert "src/closure_toy/typed.py" in closure.list_files({"closure_toy.deep.leaf"})
        assert "src/closure_toy/typed.py" not in closure.list_files({"closure_toy.datasets"})

    def test_a_block_chooses_code(self, package: Path) -> None:
        keys = {"arm": FanOutKey(values="arms", imports="closure_toy.deep.{code}")}
        closure = CodeClosure("closure_toy", package / "src", package)
        reads = node(work, ["params:arms", "params:arm"], "out", name="reads")
        other = node(work, ["out", "params:arm"], "next", name="other")
        stages = build([reads, other], {}, keys, closure, out=parquet("data/ARM/a"), next=parquet("data/ARM/b"))
        code = {stage.name: "src/closure_toy/deep/other.py" in stage.code for stage in stages}
        assert code == {"reads-plain": False, "reads-anchored": True, "other-plain": False, "other-anchored": False}
        assert all("src/closure_toy/deep/leaf.py" in stage.code for stage in stages[:2])
        keys = {"arm": FanOutKey(values="arms", imports="closure_toy.{gone}")}
        with pytest.raises(
            VersioningError, match=r"^arms.plain: tool.dvc_stages.fan_out.arm.imports needs a field 'gone'"
        ):
            build([reads], {}, keys, closure, out=parquet("data/ARM/a"))


WRONG_METADATA = [
    ("no", "h.csv", r"metadata.dvc: expected a mapping, got 'no'"),
    ({"track": "no"}, "h.csv", r"metadata.dvc.track: expected true or false, got 'no'"),
    ({"metrics": {"x": 1}}, "h.json", r"metadata.dvc.metrics: expected true or false"),
    ({"metrics": True}, "h.csv", r"metadata.dvc.metrics: expected a file that ends in .json, .* got data/h.csv"),
    ({"plots": True}, "h.csv", r"metadata.dvc.plots: expected a file that ends in .gif, .* got data/h.csv"),
    ({"plots": ["x"]}, "h.csv", r"metadata.dvc.plots: expected a mapping, got \['x'\]"),
    ({"plots": {"x": "a", "y": "b"}}, "h.png", r"metadata.dvc.plots: expected a file that ends in .csv"),
    ({"plots": {"x": "a"}}, "h.csv", r"metadata.dvc.plots.y: missing"),
    ({"plots": {"x": ["a"], "y": "b"}}, "h.csv", r"metadata.dvc.plots.x: expected text, got \['a'\]"),
    ({"plots": {"x": "a", "y": []}}, "h.csv", r"metadata.dvc.plots.y: List should have at least 1 item .*, got \[\]"),
    ({"plots": {"x": "a", "y": "b", "colour": "c"}}, "h.csv", r"metadata.dvc.plots.colour: unknown key"),
    ({"track": False, "metrics": True}, "h.json", r"metadata.dvc.metrics: a file with `track: false`"),
]


class TestWrongMetadata:
    @pytest.mark.parametrize(("options", "file", "message"), WRONG_METADATA)
    def test_dataset_and_key_are_named(self, options: Any, file: str, message: str) -> None:
        with pytest.raises(VersioningError, match=f"^dataset 'hands': {message}"):
            build([DEAL], hands=parquet(f"data/{file}", metadata={"dvc": options}))
