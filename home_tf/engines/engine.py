"""What preparation needs from an engine besides Ibis expressions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from home_tf.data import Column
from home_tf.engines.part_files import PartFiles

# Ibis has no types that mypy can use.
Table = Any
Expression = Any
# A function from batches of rows to other batches.
MapBatches = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

# The number of a row, in the order of the files: 0, 1, ...
ROW = "__row"
# The split of a row, and its part, see `home_tf.prepare.parts`.
SPLIT, PART = "split", "__part"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Records:
    """Where and how to write records, for `RecordWriter`.

    Attributes:
        folder: The folder to write.
        columns: The columns by name.
        nullable: Columns in which NaN means "missing".
        layout: `"packed"` or `"rows"`.
        compression: `None` or `"GZIP"`.
        shards: Number of files per split.
    """

    folder: Path
    columns: Mapping[str, Column]
    nullable: Sequence[str]
    layout: Literal["packed", "rows"]
    compression: Literal["GZIP"] | None
    shards: int


class Engine(ABC):
    """Reads, stores and writes tables; Ibis expressions define the computations."""

    @abstractmethod
    def read(self, name: str, files: Sequence[str], types: Mapping[str, str]) -> Table:
        """Reads CSV or Parquet files; their columns may stand in different orders.

        Args:
            name: The name of the table.
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
        """Computes a table once, for all its readers."""

    @abstractmethod
    def store_parts(self, name: str, table: Table) -> Table:
        """Computes a large table once; rows with the same `PART` are kept together."""

    @abstractmethod
    def save(self, table: Table, file: Path) -> None:
        """Writes a table to Parquet: a file, or a folder of files."""

    @abstractmethod
    def for_thread(self, table: Table) -> Table:
        """Returns a stored table for reading in another thread."""

    @abstractmethod
    def view(self, name: str, table: Table) -> Table:
        """Names a table, so that later queries need not compile its whole history."""

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
        """Applies a function to the rows that are not written yet, and writes them.

        Args:
            table: What `read` or `take` returned, or some columns of it.
            function: From batches of rows to batches with `schema`.
            schema: The columns that are written.
            parts: Where they are written.
            progress: Called with the number of rows so far.
        """


def first_row(table: Table) -> dict[str, Any]:
    """Returns the only row of a table."""
    row: dict[str, Any] = table.to_pyarrow().to_pylist()[0]
    return row


def is_parquet(file: str) -> bool:
    """Whether a file is Parquet, by its name."""
    return file.endswith((".parquet", ".pq"))
