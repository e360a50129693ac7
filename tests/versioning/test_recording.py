"""Recording a list leaves the rest of a parameter file alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from card24_pipeline.versioning.files import parse_numbers, record_numbers
from card24_pipeline.versioning.validation import VersioningError

TEXT = """\
# Every knob.
seed: 0
seeds: [0, 1]  # one run each

sft:
  # How fast.
  rate: 1e-4
  faces: {11: 11, 12: "Q"}
  steps:
    - 1
    - 2
"""


class TestRecordNumbers:
    def test_only_the_list_changes(self, tmp_path: Path) -> None:
        path = tmp_path / "params.yaml"
        path.write_text(TEXT)
        record_numbers(path, "seeds", [0, 1, 2])
        assert path.read_text() == TEXT.replace("[0, 1]  #", "[0, 1, 2] #")

    def test_same_seeds_leave_the_file_untouched(self, tmp_path: Path) -> None:
        path = tmp_path / "params.yaml"
        path.write_text(TEXT.replace("  ", "   "))
        before = path.read_bytes()
        record_numbers(path, "seeds", [0, 1])
        assert path.read_bytes() == before

    def test_file_without_the_key_or_absent(self, tmp_path: Path) -> None:
        path = tmp_path / "parameters.yml"
        record_numbers(path, "seeds", [4])
        assert path.read_text() == "seeds: [4]\n"
        path.write_text("# small\nsft:\n  steps: 1\n")
        record_numbers(path, "seeds", [4, 5])
        assert path.read_text() == "# small\nsft:\n  steps: 1\nseeds: [4, 5]\n"

    def test_link_is_written_through(self, tmp_path: Path) -> None:
        (tmp_path / "params.yaml").write_text("seeds: [0]\n")
        link = tmp_path / "link.yml"
        link.symlink_to("params.yaml")
        record_numbers(link, "seeds", [1])
        assert link.is_symlink()
        assert (tmp_path / "params.yaml").read_text() == "seeds: [1]\n"


class TestParseNumbers:
    def test_whole_numbers(self) -> None:
        assert parse_numbers("seeds", "0, 1,10") == [0, 1, 10]

    @pytest.mark.parametrize("text", ["", "a", "0,,1", "0,0", "1.5", "-1", "²"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(VersioningError, match="seeds: expected different whole numbers"):
            parse_numbers("seeds", text)
