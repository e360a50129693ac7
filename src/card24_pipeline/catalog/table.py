"""Parquet tables with a stated schema, written whole or not at all."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from kedro_datasets._typing import TablePreview


class TableDataset(AbstractDataset["pd.DataFrame", "pd.DataFrame"]):
    """A parquet file whose columns, types and absence of nulls are checked when it is written and when it is read.

    The file holds no pandas metadata and appears in one rename, so equal tables are equal bytes and a run that is
    killed leaves the old file or none.
    """

    def __init__(self, *, filepath: str, columns: dict[str, str], metadata: dict[str, Any] | None = None) -> None:
        """Describe the table.

        Args:
            filepath: Path of the parquet file.
            columns: Arrow type of each column, in order: an alias such as ``int64``, ``double``, ``string`` or
                ``bool``, or ``list<alias>``.
            metadata: Ignored by Kedro, read by plugins.
        """
        self._filepath = Path(filepath)
        self._columns = columns
        self.metadata = metadata

    def save(self, data: pd.DataFrame) -> None:
        """Write the table.

        Raises:
            DatasetError: If a column is missing, unexpected, of another type or holds a null.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._compare_names([str(name) for name in data.columns])
        try:
            table = pa.Table.from_pandas(data, schema=self._build_schema(), preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DatasetError(f"{self._filepath}: {'; '.join(map(str, error.args))}") from error
        self._refuse_nulls(table)
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        partial = self._filepath.with_name(f".{self._filepath.name}.partial")
        pq.write_table(table.replace_schema_metadata(None), partial)
        os.replace(partial, self._filepath)

    def load(self) -> pd.DataFrame:
        """Read the table.

        Raises:
            DatasetError: If the file is missing, is no parquet file, or has other columns or types.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._filepath.is_file():
            raise DatasetError(f"{self._filepath} is missing: run the node that writes it")
        try:
            table = pq.read_table(self._filepath)
        except pa.ArrowInvalid as error:
            raise DatasetError(f"{self._filepath} is no readable parquet file: {error}") from error
        self._compare_names(table.column_names)
        for field in self._build_schema():
            found = table.schema.field(field.name).type
            if found != field.type:
                raise DatasetError(f"{self._filepath}: column '{field.name}' is {found}, expected {field.type}")
        return table.to_pandas()

    def preview(self, nrows: int = 10) -> TablePreview:
        """Return the first rows for kedro viz, which goes by the name of the return type.

        Args:
            nrows: How many rows; no more than these are read.
        """
        import pyarrow.parquet as pq
        from kedro_datasets._typing import TablePreview

        with pq.ParquetFile(self._filepath) as file:
            batch = next(file.iter_batches(batch_size=nrows), None)
        rows = [] if batch is None else [list(row.values()) for row in batch.to_pylist()]
        shown = [[None if isinstance(value, float) and math.isnan(value) else value for value in row] for row in rows]
        return TablePreview({"index": list(range(len(shown))), "columns": list(self._columns), "data": shown})

    def _build_schema(self) -> pa.Schema:
        import pyarrow as pa

        def parse(name: str) -> pa.DataType:
            if name.startswith("list<") and name.endswith(">"):
                return pa.list_(parse(name[5:-1]))
            return pa.type_for_alias(name)

        return pa.schema([(name, parse(kind)) for name, kind in self._columns.items()])

    def _compare_names(self, found: list[str]) -> None:
        missing = [name for name in self._columns if name not in found]
        unexpected = [name for name in found if name not in self._columns]
        if missing or unexpected:
            raise DatasetError(f"{self._filepath}: columns missing {missing}, unexpected {unexpected}")

    def _refuse_nulls(self, table: pa.Table) -> None:
        for name in table.column_names:
            if nulls := table.column(name).null_count:
                raise DatasetError(f"{self._filepath}: column '{name}' has {nulls} empty values")

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "columns": self._columns}
