"""Parquet tables with a stated schema, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class TableDataset(AbstractDataset["pd.DataFrame", "pd.DataFrame"]):
    """A parquet file whose columns, types and absence of nulls are checked when it is written and when it is read.

    The file holds no pandas metadata and appears in one rename, so equal tables are equal bytes and a run that is
    killed leaves the old file or none.
    """

    def __init__(
        self,
        *,
        filepath: str,
        columns: dict[str, str],
        doubles_may_be_empty: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe the table.

        Args:
            filepath: Path of the parquet file.
            columns: Arrow type of each column, in order: an alias such as ``int64``, ``double``, ``string`` or
                ``bool``, or ``list<alias>``.
            doubles_may_be_empty: Whether figures of type ``double`` may be missing; they are read as NaN.
            metadata: For plugins.
        """
        self.filepath = Path(filepath)
        self.columns = columns
        self._doubles_may_be_empty = doubles_may_be_empty
        self.metadata = metadata

    def save(self, data: pd.DataFrame) -> None:
        """Write the table; raise a DatasetError if a column is missing, unexpected, of another type or has nulls."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._compare_names([str(name) for name in data.columns])
        try:
            table = pa.Table.from_pandas(data, schema=self._build_schema(), preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DatasetError(f"{self.filepath}: {'; '.join(map(str, error.args))}") from error
        self._refuse_nulls(table)
        self.filepath.parent.mkdir(parents=True, exist_ok=True)
        partial = self.filepath.with_name(f".{self.filepath.name}.partial")
        pq.write_table(table.replace_schema_metadata(None), partial)
        os.replace(partial, self.filepath)

    def load(self) -> pd.DataFrame:
        """Read the table; raise a DatasetError if the file is missing, or not what ``save`` would have written."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self.filepath.is_file():
            raise DatasetError(f"{self.filepath} is missing: run the node that writes it")
        try:
            table = pq.ParquetFile(self.filepath).read()
        except pa.ArrowInvalid as error:
            raise DatasetError(f"{self.filepath} is no readable parquet file: {error}") from error
        self._compare_names(table.column_names)
        for field in self._build_schema():
            found = table.schema.field(field.name).type
            if found != field.type:
                raise DatasetError(f"{self.filepath}: column '{field.name}' is {found}, expected {field.type}")
        self._refuse_nulls(table)
        return table.to_pandas()

    def _build_schema(self) -> pa.Schema:
        import pyarrow as pa

        def parse(name: str) -> pa.DataType:
            if name.startswith("list<") and name.endswith(">"):
                return pa.list_(parse(name[5:-1]))
            return pa.type_for_alias(name)

        return pa.schema([(name, parse(kind)) for name, kind in self.columns.items()])

    def _compare_names(self, found: list[str]) -> None:
        missing = [name for name in self.columns if name not in found]
        unexpected = [name for name in found if name not in self.columns]
        if missing or unexpected:
            raise DatasetError(f"{self.filepath}: columns missing {missing}, unexpected {unexpected}")

    def _refuse_nulls(self, table: pa.Table) -> None:
        for name, kind in self.columns.items():
            nulls = 0 if self._doubles_may_be_empty and kind == "double" else table.column(name).null_count
            if nulls:
                raise DatasetError(f"{self.filepath}: column '{name}' has {nulls} empty values")

    def _exists(self) -> bool:
        return self.filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self.filepath), "columns": self.columns}
