"""Fan-in: one table for each value of some keys on disk, read together by the nodes that compare them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import DatasetError

from card24_pipeline.catalog.paths import ReadOnlyDataset
from card24_pipeline.catalog.table import TableDataset

if TYPE_CHECKING:
    import pandas as pd

ALL = "all"


@dataclass(frozen=True)
class FanInFrames:
    """Tables that differ by keys, read on demand.

    Attributes:
        filepath: Path of a parquet file, with ``{key}`` where the value of a key stands.
        run: This run's value of each of those keys, ``"all"`` where it brings them together.
        columns: Arrow type of each table's columns.
        doubles_may_be_empty: See ``TableDataset``.
    """

    filepath: str
    run: Mapping[str, int | str]
    columns: dict[str, str]
    doubles_may_be_empty: bool = False

    def read(self, **values: Iterable[int | str]) -> pd.DataFrame:
        """Read tables into one.

        Args:
            **values: For each key, the values that the study lists; a mapping gives its names, and keys that the path
                does not have are passed over. A run over all values reads them in this order, any other its own.

        Returns:
            The rows of every table, with a column for each key that the tables do not have.

        Raises:
            DatasetError: When a table is missing, naming it and the command that makes it, or has other columns.
        """
        import pandas as pd

        if self.run.keys() - values.keys():
            raise DatasetError(f"{self.filepath}: expected values of {', '.join(self.run)}, got {', '.join(values)}")
        chosen = [list(values[key]) if own == ALL else [own] for key, own in self.run.items()]
        tables = [self._read_one(dict(zip(self.run, each, strict=True))) for each in product(*chosen)]
        if not tables:
            raise DatasetError(f"{self.filepath}: nothing to read, a list of values is empty")
        return pd.concat(tables, ignore_index=True)

    def _read_one(self, key: dict[str, int | str]) -> pd.DataFrame:
        path = _fill_path(self.filepath, key)
        if not path.is_file():
            given = ",".join(f"{name}={value}" for name, value in key.items())
            raise DatasetError(f"{path} is missing: make it with `kedro run --params={given}`")
        table = TableDataset(filepath=str(path), columns=self.columns, doubles_may_be_empty=self.doubles_may_be_empty)
        frame = table.load()
        return frame.assign(**{name: value for name, value in key.items() if name not in frame.columns})


class FanInDataset(ReadOnlyDataset):
    """Parquet files that differ by keys, read as ``FanInFrames``; the transcoded twin writes each."""

    remedy = "write each table through its own dataset"

    def __init__(
        self,
        *,
        filepath: str,
        run: dict[str, int | str],
        columns: dict[str, str],
        doubles_may_be_empty: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take what ``FanInFrames`` takes; keys of ``run`` that the path does not have are passed over.

        A path without any is one table for all values.

        Raises:
            ValueError: When ``filepath`` has anything else in braces.
        """
        super().__init__(filepath=filepath, metadata=metadata)
        own = {key: value for key, value in run.items() if f"{{{key}}}" in filepath}
        if unknown := set(re.findall(r"\{(.*?)\}", filepath)) - own.keys():
            known = ", ".join(f"{{{key}}}" for key in run)
            raise ValueError(f"filepath: expected {known} or no braces, got {{{min(unknown)}}} in '{filepath}'")
        self._frames = FanInFrames(filepath, own, columns, doubles_may_be_empty)

    def load(self) -> FanInFrames:
        """Return a reader of the tables; nothing is read yet."""
        return self._frames

    def _exists(self) -> bool:
        run = self._frames.run
        return ALL in run.values() or _fill_path(self._frames.filepath, run).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._frames.filepath, "run": dict(self._frames.run)}


def _fill_path(filepath: str, run: Mapping[str, int | str]) -> Path:
    for key, value in run.items():
        filepath = filepath.replace(f"{{{key}}}", str(value))
    return Path(filepath)
