"""What preparing needs of an engine, beside Ibis expressions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from home_tf.data import Column
from home_tf.engines.part_files import PartFiles

# Ibis has no types that mypy could use.
Table = Any
Expression = Any
# From batches of rows to other batches.
MapBatches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

# The number of a row, in the order of the files: 0, 1, ...
ROW = "__row"
# The split of a row, and its part, see `home_tf.prepare.parts`.
SPLIT, PART = "split", "__part"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Records:
    """Where and how records are written, as `RecordWriter` takes it.

    Attributes:
        folder: The folder to write.
        columns: The columns by name.
        nullable: Columns in which NaN means "missing".
        layout: `"packed"` or `"rows"`.
        compression: `None` or `"GZIP"`.
        shards: Number of files of each split.
    """

    folder: Path
    columns: Mapping[str, Column]
    nullable: Sequence[str]
    layout: Literal["packed", "rows"]
    compression: Literal["GZIP"] | None
    shards: int


class Engine(ABC):
    """Reads, stores and writes tables; Ibis expressions say what is computed."""

    @abstractmethod
    def read(self, name: str, files: Sequence[str], types: Mapping[str, str]) -> Table:
        """Reads CSV or Parquet files; their columns may stand in different orders.

        Args:
            name: What the table is called.
            files: The files, all CSV or all Parquet.
            types: Types of CSV columns that are not to be guessed.

        Returns:
            A table with the columns of the files, and `ROW`.
        """

    @abstractmethod
    def take(self, name: str, frame: Any) -> Table:
        """Takes a table of Ibis, Arrow, pandas or Polars; adds `ROW`.

        Raises:
            HomeError: If it is none of them.
        """

    @abstractmethod
    def store(self, name: str, table: Table) -> Table:
        """Computes a table once, for all that read it."""

    @abstractmethod
    def store_parts(self, name: str, table: Table) -> Table:
        """Computes a large table once; rows with the same `PART` lie together."""

    @abstractmethod
    def save(self, table: Table, file: Path) -> None:
        """Writes a table to Parquet: a file, or a folder of files."""

    @abstractmethod
    def for_thread(self, table: Table) -> Table:
        """A stored table as another thread may read it meanwhile."""

    @abstractmethod
    def view(self, name: str, table: Table) -> Table:
        """Names a table, so that not every query compiles all that led to it."""

    @abstractmethod
    def derive(self, table: Table, columns: Mapping[str, str]) -> Table:
        """Adds or replaces columns.

        Args:
            table: The table.
            columns: `{name: SQL}` in DuckDB's dialect; none uses another of them.
        """

    @abstractmethod
    def write(
        self,
        dataset: Table,
        order_by: Sequence[str],
        records: Records,
        progress: Callable[[int], None],
    ) -> None:
        """Writes the records of all splits, and `schema.json`.

        Args:
            dataset: What `store_parts` returned: the columns of the records, `SPLIT`,
                `PART`, and others. All rows of a part are of one split.
            order_by: The columns that the rows of a part are sorted by.
            records: Where and how they are written.
            progress: Called with the number of rows so far.
        """

    @abstractmethod
    def map_to_parts(
        self,
        table: Table,
        function: MapBatches,
        schema: pa.Schema,
        parts: PartFiles,
        progress: Callable[[int], None],
    ) -> None:
        """Writes what a function makes of the rows that are not written yet.

        Args:
            table: What `read` or `take` returned, or some columns of it.
            function: From batches of rows to batches with `schema`.
            schema: The columns that are written.
            parts: Where they are written.
            progress: Called with the number of rows so far.
        """


def first_row(table: Table) -> dict[str, Any]:
    """The only row of a table."""
    row: dict[str, Any] = table.to_pyarrow().to_pylist()[0]
    return row


def is_parquet(file: str) -> bool:
    """Whether a file is Parquet, by its name."""
    return file.endswith((".parquet", ".pq"))
