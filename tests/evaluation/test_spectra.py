from __future__ import annotations

import pytest

from card24_pipeline.evaluation.spectra import Change, measure_spectra_of
from card24_pipeline.spectral.movement import SpectraSettings


def test_whole_checkpoints_matrix_by_matrix(save_model) -> None:
    folders = {"a": save_model("a"), "b": save_model("b", seed=1)}
    change = Change("a_to_b", 3, "a", "b", by_index=True, references=("b",), return_fraction=0.5)
    bands, _, returns = measure_spectra_of(folders, [change], SpectraSettings([0.25], 2, 0))
    assert bands["tensor"].nunique() == 28
    assert len(bands) == 28 * 5 * 4  # observed and two draws of two nulls; all, top, bulk and tail
    assert set(bands["kind"]) >= {"q_proj", "down_proj"}
    assert (returns["projection"] / returns["distance_squared"]).tolist() == pytest.approx([1.0] * 28)
