"""Tables of measurements, some of which a run does not make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card24_pipeline.catalog.table import TableDataset

if TYPE_CHECKING:
    import pyarrow as pa


class MeasuredTableDataset(TableDataset):
    """A :class:`TableDataset` whose columns of type ``double`` may be empty; an empty value is read as NaN."""

    def _refuse_nulls(self, table: pa.Table) -> None:
        measured = [name for name, kind in self._columns.items() if kind == "double"]
        super()._refuse_nulls(table.drop_columns(measured))
