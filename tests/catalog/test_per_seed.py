"""Tables of several seeds, read together or one by one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DatasetError

from card24_pipeline.catalog.per_seed import PerSeedDataset


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    for seed in (0, 1, 2):
        (tmp_path / f"seed_{seed}").mkdir()
        pd.DataFrame({"score": [seed * 10, seed * 10 + 1]}).to_parquet(tmp_path / f"seed_{seed}/x.parquet")
    return f"{tmp_path}/seed_{{seed}}/x.parquet"


class TestRead:
    def test_all_seeds_reads_exactly_the_listed_ones(self, pattern: str) -> None:
        frame = PerSeedDataset(filepath=pattern, seed="all").load().read([2, 0])
        assert frame["seed"].tolist() == [2, 2, 0, 0]
        assert frame["score"].tolist() == [20, 21, 0, 1]
        assert frame.index.tolist() == [0, 1, 2, 3]

    def test_run_of_one_seed_reads_its_own(self, pattern: str) -> None:
        assert PerSeedDataset(filepath=pattern, seed=1).load().read([0, 2])["seed"].unique().tolist() == [1]
        assert PerSeedDataset(filepath=pattern, seed="1").load().read([0, 2])["seed"].unique().tolist() == [1]

    def test_column_seed_is_kept_when_there(self, pattern: str) -> None:
        pd.DataFrame({"seed": [7]}).to_parquet(pattern.format(seed=0))
        assert PerSeedDataset(filepath=pattern, seed=0).load().read([0])["seed"].tolist() == [7]

    def test_missing_table_names_file_and_command(self, pattern: str) -> None:
        message = r"seed_5/x\.parquet is missing: .*`kedro run --params=seed=5`"
        with pytest.raises(DatasetError, match=message):
            PerSeedDataset(filepath=pattern, seed="all").load().read([0, 5])

    def test_empty_list_is_refused(self, pattern: str) -> None:
        with pytest.raises(DatasetError, match="no seeds"):
            PerSeedDataset(filepath=pattern, seed="all").load().read([])


class TestConstruction:
    def test_path_needs_the_field(self) -> None:
        with pytest.raises(ValueError, match="must contain"):
            PerSeedDataset(filepath="data/x.parquet")

    @pytest.mark.parametrize("seed", ["some", -1, "1.5", ""])
    def test_seed_is_a_number_or_all(self, seed: int | str) -> None:
        with pytest.raises(ValueError, match="whole number or 'all'"):
            PerSeedDataset(filepath="data/{seed}/x.parquet", seed=seed)

    def test_saving_is_refused(self, pattern: str) -> None:
        with pytest.raises(DatasetError, match="read-only"):
            PerSeedDataset(filepath=pattern).save(pd.DataFrame())  # type: ignore[arg-type]

    def test_exists(self, pattern: str) -> None:
        assert PerSeedDataset(filepath=pattern, seed=1).exists()
        assert not PerSeedDataset(filepath=pattern, seed=9).exists()
