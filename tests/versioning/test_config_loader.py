"""Fan-out keys of a run are filled before anything reads them, and blocks replace others."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest

from card24_pipeline.versioning.config_loader import FanOutConfigLoader
from card24_pipeline.versioning.fan_out import FanOut
from card24_pipeline.versioning.settings import FanOutKey, read_settings
from card24_pipeline.versioning.validation import VersioningError

KEYS = {
    "seed": FanOutKey(values="seeds"),
    "sft_arm": FanOutKey(values="sft_arms"),
    "rl_arm": FanOutKey(values="rl_arms", implies={"sft_arm": "sft_arm"}),
}
PARAMS: dict[str, Any] = {
    "seeds": [3, 4],
    "sft_arms": {"main": {}, "hot": {}, "idle": {}},
    "rl_arms": {"plain": {"sft_arm": "main"}, "anchored": {"sft_arm": "main"}, "late": {"sft_arm": "hot"}},
}


class TestFill:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({}, (3, "main", "plain")),
            ({"seed": 9}, (9, "main", "plain")),
            ({"rl_arm": "late"}, (3, "hot", "late")),
            ({"sft_arm": "hot"}, (3, "hot", "late")),
            ({"sft_arm": "idle"}, (3, "idle", "none")),
            ({"seed": "all"}, ("all", "all", "all")),
            ({"rl_arm": "late", "seed": "all"}, ("all", "hot", "late")),
            ({"rl_arm": "all", "sft_arm": "main"}, ("all", "main", "all")),
            ({"rl_arm": "late", "sft_arm": "all"}, ("all", "all", "late")),
        ],
    )
    def test_missing_keys(self, given: dict[str, Any], expected: tuple[Any, ...]) -> None:
        filled = FanOut(KEYS, PARAMS).fill({**given, "other": 1})
        assert filled == {**dict(zip(KEYS, expected, strict=True)), "other": 1}

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"rl_arm": "plian"}, "--params: rl_arm: expected one of plain, anchored, late or all, got 'plian'"),
            ({"seed": "x"}, "--params: seed: expected a value like 3 or all, got 'x'"),
            ({"seed": True}, "--params: seed: expected a value like 3 or all, got True"),
            (
                {"rl_arm": "late", "sft_arm": "main"},
                r"rl_arm=late goes with sft_arm=hot \(rl_arms.late.sft_arm\), not with main",
            ),
        ],
    )
    def test_wrong_keys(self, given: dict[str, Any], message: str) -> None:
        with pytest.raises(VersioningError, match=f"^{message}$"):
            FanOut(KEYS, PARAMS).fill(given)

    @pytest.mark.parametrize("arms", [None, {}, {"all": {}}, {"a-b": {}}, {1: {}}, "main"])
    def test_wrong_values(self, arms: Any) -> None:
        with pytest.raises(VersioningError, match=r"^sft_arms: expected "):
            FanOut(KEYS, PARAMS | {"sft_arms": arms})


FILES = {
    "pyproject.toml": """
[tool.dvc_stages.fan_out]
seed = {values = "seeds"}
arm = {values = "arms"}
""",
    "conf/base/parameters.yml": """
seeds: [0, 1]
arms: {plain: {_replace_: true, rate: 1}, other: {rate: 2}}
source: {kind: scratch, sizes: {width: 8}}
""",
    "conf/base/catalog.yml": "table: {type: x.Y, filepath: 'seed_${runtime_params:seed}/${runtime_params:arm}'}",
    "conf/own/parameters.yml": """
source: {_replace_: true, kind: folder, path: here}
arms: {other: {rate: 5}}
""",
}
ARGUMENTS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "base",
    "merge_strategy": {"parameters": "soft"},
}


@pytest.fixture
def conf(tmp_path: Path) -> str:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return str(tmp_path / "conf")


class TestLoader:
    def test_keys_reach_catalog_and_nodes(self, conf: str) -> None:
        loader = FanOutConfigLoader(conf, runtime_params={"arm": "other"}, **ARGUMENTS)
        assert loader["catalog"]["table"]["filepath"] == "seed_0/other"
        assert (loader["parameters"]["seed"], loader["parameters"]["arm"]) == (0, "other")

    def test_block_of_a_scale_replaces_and_no_mark_is_left(self, conf: str) -> None:
        params = FanOutConfigLoader(conf, "own", **ARGUMENTS)["parameters"]
        assert params["source"] == {"kind": "folder", "path": "here"}
        assert params["arms"] == {"plain": {"rate": 1}, "other": {"rate": 5}}
        assert FanOutConfigLoader(conf, **ARGUMENTS)["parameters"]["arms"]["plain"] == {"rate": 1}

    def test_runtime_parameter_is_laid_over_a_replacing_block(self, conf: str) -> None:
        params = FanOutConfigLoader(conf, "own", {"source": {"path": "there"}}, **ARGUMENTS)["parameters"]
        assert params["source"] == {"kind": "folder", "path": "there"}

    def test_wrong_key_names_the_scale(self, conf: str) -> None:
        with pytest.raises(VersioningError, match=r"^scale own: --params: arm: expected one of plain, other or all"):
            FanOutConfigLoader(conf, "own", {"arm": "x"}, **ARGUMENTS)

    def test_packed_configuration(self, conf: str, tmp_path: Path) -> None:
        packed = tmp_path / "conf-toy.tar.gz"
        with tarfile.open(packed, "w:gz") as archive:
            archive.add(conf, "conf")
            archive.add(tmp_path / "pyproject.toml", "conf/pyproject.toml")
        assert FanOutConfigLoader(str(packed), "own", **ARGUMENTS)["parameters"]["arm"] == "plain"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("output = 'data'", "output: unknown key, did you mean 'outputs'"),
        ("outputs = '/data'", "outputs: "),
        ("outputs = '../data'", "outputs: "),
        ("fan_out.seed = {}", "fan_out.seed.values: "),
        ("fan_out.seed = {values = 1}", "fan_out.seed.values: expected text, got 1"),
        (
            "fan_out.seed = {values = 'seeds', folder = 'seed'}",
            ".*fan_out.seed.folder: expected {seed} in it, got 'seed'",
        ),
        ("fan_out.seed = {values = 'seeds', folder = '../{seed}'}", "fan_out.seed.folder: "),
        (
            "fan_out.a = {values = 'a', folder = '{a}'}\nfan_out.b = {values = 'b', folder = '{b}'}",
            ".*fan_out.b.folder: a has one, and only one key can",
        ),
        ("fan_out.arm = {values = 'arms', implies = {sft = 'sft'}}", ".*fan_out.arm.implies: no key sft in fan_out"),
    ],
)
def test_wrong_settings_name_the_key(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.dvc_stages]\n{table}\n")
    with pytest.raises(VersioningError, match=f"^pyproject.toml: tool.dvc_stages.?{message}") as caught:
        read_settings(tmp_path)
    assert "\n" not in str(caught.value)
