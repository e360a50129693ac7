"""Keys are found in the file where they take effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from card24_pipeline.versioning.config_loader import FanOutConfigLoader
from card24_pipeline.versioning.parameter_files import ParameterFiles
from card24_pipeline.versioning.validation import VersioningError

BASE = {"sft": {"rate": 1, "steps": 2, "warm": {"up": 1, "down": 2}}, "seeds": [0, 1], "none": None}
FILE, OVER = "params.yaml", "conf/smoke/parameters.yml"


def make_files(overlay: dict[str, Any] | None = None, base: dict[str, Any] | None = None) -> ParameterFiles:
    return ParameterFiles([{FILE: base or BASE}, *([] if overlay is None else [{OVER: overlay}])])


def test_a_block_that_replaces_stands_in_one_file_of_its_folder() -> None:
    layer = {
        OVER: {"sft": {"steps": 1}},
        "conf/smoke/parameters_b.yml": {"sft": {"warm": {"_replace_": True, "up": 3}}},
    }
    with pytest.raises(VersioningError, match=r"parameters_b\.yml: sft: '_replace_' in a block that conf/smoke/param"):
        ParameterFiles([{FILE: BASE}, layer])


class TestLocate:
    def test_without_overlay_everything_is_in_the_base_file(self) -> None:
        assert make_files().locate("sft") == [(FILE, "sft")]
        assert make_files().locate("sft.warm.up") == [(FILE, "sft.warm.up")]

    def test_untouched_subtree_stays_whole(self) -> None:
        assert make_files({"seeds": [3]}).locate("sft") == [(FILE, "sft")]

    def test_split_subtree_is_descended_only_where_it_splits(self) -> None:
        assert make_files({"sft": {"rate": 9}}).locate("sft") == [
            (OVER, "sft.rate"),
            (FILE, "sft.steps"),
            (FILE, "sft.warm"),
        ]
        assert make_files({"sft": {"warm": {"up": 9}}}).locate("sft.warm") == [
            (FILE, "sft.warm.down"),
            (OVER, "sft.warm.up"),
        ]

    def test_subtree_that_the_overlay_covers_is_its_own(self) -> None:
        assert make_files({"sft": {"warm": {"up": 9, "down": 9}}}).locate("sft.warm") == [(OVER, "sft.warm")]

    def test_empty_overlay_subtree_changes_nothing(self) -> None:
        assert make_files({"sft": {}}).locate("sft") == [(FILE, "sft")]

    def test_lists_and_scalars_are_replaced_whole(self) -> None:
        assert make_files({"seeds": [5]}).locate("seeds") == [(OVER, "seeds")]
        assert make_files({"sft": 3}).locate("sft") == [(OVER, "sft")]
        assert make_files({"sft": None}).locate("sft") == [(OVER, "sft")]

    def test_key_that_only_the_overlay_has(self) -> None:
        assert make_files({"sft": {"extra": 1}}).locate("sft.extra") == [(OVER, "sft.extra")]

    def test_null_is_a_value(self) -> None:
        assert make_files().locate("none") == [(FILE, "none")]

    def test_unknown_key_suggests_a_near_one(self) -> None:
        with pytest.raises(VersioningError, match=r"params:sft.setps: no such key .* did you mean 'sft.steps'"):
            make_files({}).locate("sft.setps")

    def test_interpolation_is_refused(self) -> None:
        with pytest.raises(VersioningError, match=r"params.yaml: a: refers elsewhere"):
            make_files(base={"a": {"b": ["${c}"]}, "c": 1}).locate("a")


class TestReplace:
    OVERLAY: ClassVar = {"sft": {"warm": {"_replace_": True, "up": 9}}}

    def test_block_takes_the_place_of_the_one_below(self) -> None:
        files = make_files(self.OVERLAY)
        assert files.locate("sft.warm") == [(OVER, "sft.warm")]
        assert files.locate("sft") == [(FILE, "sft.rate"), (FILE, "sft.steps"), (OVER, "sft.warm")]
        with pytest.raises(VersioningError, match="no such key"):
            files.locate("sft.warm.down")

    def test_what_is_below_hides_nothing_above(self) -> None:
        files = ParameterFiles([{FILE: BASE}, {OVER: self.OVERLAY}, {"--params": {"sft": {"warm": {"up": 3}}}}])
        assert files.find_owners("sft.warm") == ["--params"]

    def test_owners_are_listed_by_layer(self) -> None:
        files = make_files(self.OVERLAY)
        assert files.find_owners("sft") == [FILE, OVER]
        assert files.find_owners("sft.warm") == [OVER]
        assert files.find_owners("sft.warm.down") == []


class TestSeveralFiles:
    FILES: ClassVar = [{"a.yml": {"sft": {"rate": 1}}, "b.yml": {"sft": {"steps": 2}, "rl": 3}}, {OVER: {"rl": 4}}]

    def test_each_key_is_found_in_its_own(self) -> None:
        files = ParameterFiles(self.FILES)
        assert files.locate("sft") == [("a.yml", "sft.rate"), ("b.yml", "sft.steps")]
        assert files.locate("rl") == [(OVER, "rl")]

    @pytest.mark.parametrize("strategy", ["soft", "destructive"])
    def test_key_is_found_where_kedro_takes_it_from(self, tmp_path: Path, strategy: str) -> None:
        texts = {
            FILE: "sft: {rate: 1, steps: 2, warm: {up: 1, down: 2}}\nrl: 1",
            "conf/base/parameters_more.yml": "more: 1",
            "conf/base/parameters/deep/x.yml": "deep: {er: 1}",
            "conf/base/catalog.yml": "none: {type: MemoryDataset}",
            OVER: "sft: {rate: 3, warm: {_replace_: true, up: 9}}",
        }
        for name, text in texts.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        (tmp_path / "conf/base/parameters.yml").symlink_to(tmp_path / FILE)
        merge: dict[str, Any] = {"base_env": "base", "merge_strategy": {"parameters": strategy}}
        loader = FanOutConfigLoader(str(tmp_path / "conf"), "smoke", **merge)
        files = ParameterFiles.read(loader, tmp_path)
        for key in ("sft.rate", "sft.steps", "sft.warm.up", "sft.warm.down", "rl", "more", "deep.er", "none", "other"):
            owners = files.find_owners(key)
            found = [dig(yaml.safe_load(texts[file]), key) for file in owners] or [None]
            assert found == [dig(loader["parameters"], key)], key
        assert files.find_owners("deep") == ["conf/base/parameters/deep/x.yml"]


def dig(content: Any, key: str) -> Any:
    for name in key.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    return content
