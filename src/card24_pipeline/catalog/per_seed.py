"""Fan-in over seeds: one table per seed on disk, read together by the nodes that compare seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

if TYPE_CHECKING:
    import pandas as pd

ALL_SEEDS = "all"
SEED_FIELD = "{seed}"


@dataclass(frozen=True)
class SeedFrames:
    """The per-seed tables behind one dataset, read on demand.

    Attributes:
        filepath: Path of a parquet file, with ``{seed}`` where the seed stands.
        run_seed: The seed of this run, or ``"all"`` when the run brings seeds together.
    """

    filepath: str
    run_seed: int | str

    def read(self, seeds: Sequence[int]) -> pd.DataFrame:
        """Read the tables of several seeds into one.

        Args:
            seeds: Seeds that the study lists. They are read in this order when the run is one over all seeds
                (``--params=seed=all``); a run of one seed reads its own table only.

        Returns:
            The rows of every table, with a column ``seed`` where the tables had none.

        Raises:
            DatasetError: When a table is missing, naming it and the command that makes it.
        """
        import pandas as pd

        chosen = list(seeds) if self.run_seed == ALL_SEEDS else [int(self.run_seed)]
        if not chosen:
            raise DatasetError(f"{self.filepath}: no seeds to read, the list is empty")
        return pd.concat([self._read_seed(seed) for seed in chosen], ignore_index=True)

    def _read_seed(self, seed: int) -> pd.DataFrame:
        import pandas as pd

        path = Path(self.filepath.replace(SEED_FIELD, str(seed)))
        if not path.is_file():
            raise DatasetError(f"{path} is missing: make it with `kedro run --params=seed={seed}`")
        frame = pd.read_parquet(path)
        return frame if "seed" in frame.columns else frame.assign(seed=seed)


class PerSeedDataset(AbstractDataset[NoReturn, SeedFrames]):
    """A parquet file per seed, read as ``SeedFrames``; its transcoded twin writes them."""

    def __init__(self, *, filepath: str, seed: int | str = 0, metadata: dict[str, Any] | None = None) -> None:
        """Describe where the tables lie.

        Args:
            filepath: Path of the parquet file, with ``{seed}`` where the seed stands.
            seed: The seed of this run, or ``"all"``.
            metadata: Ignored by Kedro, read by plugins.

        Raises:
            ValueError: When ``filepath`` has no ``{seed}``, or ``seed`` is no whole number nor ``"all"``.
        """
        if SEED_FIELD not in filepath:
            raise ValueError(f"filepath must contain '{SEED_FIELD}', got '{filepath}'")
        if seed != ALL_SEEDS and not str(seed).isdecimal():
            raise ValueError(f"seed must be a whole number or '{ALL_SEEDS}', got '{seed}'")
        self._filepath = filepath
        self._seed = seed
        self.metadata = metadata

    def load(self) -> SeedFrames:
        """Return a reader of the tables; nothing is read yet."""
        return SeedFrames(self._filepath, self._seed)

    def save(self, data: NoReturn) -> None:
        """Refuse: each seed writes its own table.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{self._filepath} is read-only: write each seed through its own dataset")

    def _exists(self) -> bool:
        pattern = Path(self._filepath.replace(SEED_FIELD, str(self._seed)))
        return self._seed == ALL_SEEDS or pattern.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "seed": self._seed}
