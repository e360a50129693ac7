"""Tables that differ by keys, read together or one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DatasetError

from card24_pipeline.catalog.fan_in import FanInDataset, FanInFrames

SEEDS = (0, 1, 2)
ARMS = {"plain": {}, "anchored": {}}


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    for seed in SEEDS:
        for number, arm in enumerate(ARMS):
            path = tmp_path / f"seed_{seed}/{arm}/x.parquet"
            path.parent.mkdir(parents=True)
            pd.DataFrame({"score": [100 * number + seed]}).to_parquet(path)
    return f"{tmp_path}/seed_{{seed}}/{{arm}}/x.parquet"


def load(pattern: str, columns: dict[str, str] | None = None, **run: Any) -> FanInFrames:
    run = {"seed": "all", "arm": "all", "other": 1, **run}
    return FanInDataset(filepath=pattern, run=run, columns=columns or {"score": "int64"}).load()


class TestRead:
    def test_run_over_all_reads_exactly_the_listed_values(self, pattern: str) -> None:
        frame = load(pattern).read(seed=[2, 0], arm=ARMS, other=[5])
        assert frame.to_dict("list") == {
            "score": [2, 102, 0, 100],
            "seed": [2, 2, 0, 0],
            "arm": ["plain", "anchored"] * 2,
        }
        assert frame.index.tolist() == [0, 1, 2, 3]

    def test_any_other_run_reads_its_own(self, pattern: str) -> None:
        assert load(pattern, seed=1, arm="plain").read(seed=[0, 2], arm=ARMS)["score"].tolist() == [1]
        assert load(pattern, seed=1).read(seed=[0], arm=ARMS)["score"].tolist() == [1, 101]

    def test_column_of_a_key_is_kept_when_there(self, pattern: str) -> None:
        path = pattern.format(seed=0, arm="plain")
        pd.DataFrame({"score": [1], "seed": [7]}).to_parquet(path)
        frames = load(pattern, {"score": "int64", "seed": "int64"}, seed=0, arm="plain")
        assert frames.read(seed=[], arm=[]).to_dict("list") == {"score": [1], "seed": [7], "arm": ["plain"]}

    def test_missing_table_names_file_and_command(self, pattern: str) -> None:
        message = r"seed_5/plain/x\.parquet is missing: .*`kedro run --params=seed=5,arm=plain`"
        with pytest.raises(DatasetError, match=message):
            load(pattern).read(seed=[0, 5], arm=ARMS)

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"score": "double"}, "column 'score' is int64, expected double"),
            ({"score": "int64", "loss": "double"}, r"missing \['loss'\]"),
        ],
    )
    def test_each_table_is_checked(self, pattern: str, columns: dict[str, str], message: str) -> None:
        with pytest.raises(DatasetError, match=f"seed_0/plain/x.parquet: .*{message}"):
            load(pattern, columns).read(seed=SEEDS, arm=ARMS)

    def test_empty_list_is_refused(self, pattern: str) -> None:
        with pytest.raises(DatasetError, match="a list of values is empty"):
            load(pattern).read(seed=[], arm=ARMS)

    def test_values_of_every_key_are_needed(self, pattern: str) -> None:
        with pytest.raises(DatasetError, match="expected values of seed, arm, got seed"):
            load(pattern).read(seed=SEEDS)

    def test_path_without_a_key_is_one_table_for_all(self, pattern: str) -> None:
        frames = load(pattern.format(seed=1, arm="plain"))
        assert frames.read(seed=[0, 2], arm=ARMS).to_dict("list") == {"score": [1]}


class TestConstruction:
    def test_no_other_braces_in_the_path(self) -> None:
        with pytest.raises(ValueError, match=r"expected \{seed\} or no braces, got \{sede\} in"):
            FanInDataset(filepath="data/{sede}/x.parquet", run={"seed": 0}, columns={})

    def test_saving_is_refused(self, pattern: str) -> None:
        with pytest.raises(DatasetError, match="read-only"):
            FanInDataset(filepath=pattern, run={"seed": 0, "arm": "plain"}, columns={}).save(pd.DataFrame())  # type: ignore[arg-type]

    def test_exists(self, pattern: str) -> None:
        for seed, there in ((1, True), (9, False), ("all", True)):
            run = {"seed": seed, "arm": "plain"}
            assert FanInDataset(filepath=pattern, run=run, columns={}).exists() is there
