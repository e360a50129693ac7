"""Digests of the files that a page was made of."""

import hashlib

import pytest

from card24_pipeline.provenance import digest_files


def test_files_are_named_below_the_root(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/one.csv").write_text("a,b\n")
    found = digest_files([tmp_path / "data/one.csv", tmp_path / "data/two.csv"], tmp_path)
    assert found == {"data/one.csv": hashlib.md5(b"a,b\n").hexdigest(), "data/two.csv": "missing"}


def test_a_file_elsewhere_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"one\.csv"):
        digest_files([tmp_path / "one.csv"], tmp_path / "data")
