"""Keys are found in the file where they take effect."""

from __future__ import annotations

from typing import Any

import pytest

from card24_pipeline.versioning.errors import VersioningError
from card24_pipeline.versioning.parameter_files import ParameterFiles

BASE = {"sft": {"rate": 1, "steps": 2, "warm": {"up": 1, "down": 2}}, "seeds": [0, 1], "none": None}
FILE, OVER = "params.yaml", "conf/smoke/parameters.yml"


def make_files(overlay: dict[str, Any] | None = None, base: dict[str, Any] | None = None) -> ParameterFiles:
    files = ((FILE, base or BASE),)
    return ParameterFiles(files if overlay is None else (*files, (OVER, overlay)))


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


class TestGet:
    def test_overlay_wins_key_by_key(self) -> None:
        files = make_files({"seeds": [3], "sft": {"rate": 9}})
        assert files.get("seeds") == [3]
        assert files.get("sft") == {"rate": 9, "steps": 2, "warm": {"up": 1, "down": 2}}
        assert files.get("sft.nothing") is None
