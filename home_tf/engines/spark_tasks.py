"""The tasks of Spark's executors, which also need this package."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa

from home_tf.data import RecordWriter
from home_tf.engines.csv_files import kinds_of_csv, select_csv
from home_tf.engines.engine import SPLIT, Records
from home_tf.engines.to_arrays import to_arrays

# The shard of a row.
SHARD = "__shard"

Batches = Iterator[pa.RecordBatch]


def connect() -> duckdb.DuckDBPyConnection:
    """Opens a database for a task."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    return connection


@dataclass(frozen=True)
class ConvertCsv:
    """Converts CSV files, `csv`, to Parquet files, `parquet`; returns the latter.

    DuckDB reads them, so that a file has the same values on both engines.

    Attributes:
        types: The types of all columns.
    """

    types: Mapping[str, str]

    def __call__(self, batches: Batches) -> Batches:
        """Converts the files of some rows."""
        for batch in batches:
            for row in batch.to_pylist():
                self._convert(row["csv"], row["parquet"])
            yield batch.select(["parquet"])

    def _convert(self, csv: str, parquet: str) -> None:
        with connect() as connection:
            there = kinds_of_csv(connection, [csv], self.types)
            kinds = {name: self.types[name] for name in there}
            # A task may be retried, or run twice.
            aside = f"{parquet}.{uuid4().hex}"
            connection.sql(select_csv([csv], kinds)).write_parquet(aside)
            Path(aside).replace(parquet)


@dataclass(frozen=True)
class RunSql:
    """Derives columns with DuckDB's SQL, whose functions Spark lacks.

    Attributes:
        query: A query that reads the table `before`.
        schema: The columns that it returns.
    """

    query: str
    schema: pa.Schema

    def __call__(self, batches: Batches) -> Batches:
        """Runs the query on each batch."""
        with connect() as connection:
            for batch in batches:
                connection.register("before", pa.Table.from_batches([batch]))
                made = connection.sql(self.query).to_arrow_table()
                yield from made.cast(self.schema).to_batches()


@dataclass(frozen=True)
class WriteShards:
    """Writes the shards of some rows, each to its own folder.

    The rows are sorted by `SPLIT` and `SHARD` first.

    Attributes:
        records: Where and how they are written.
    """

    records: Records

    def __call__(self, batches: Batches) -> Batches:
        """Writes the rows; returns the folder of each shard."""
        written: dict[tuple[str, int], RecordWriter] = {}
        with ExitStack() as stack:
            for batch in batches:
                for (split, shard), rows in _by_shard(batch):
                    if (split, shard) not in written:
                        writer = stack.enter_context(self._open())
                        written[split, shard] = writer
                    arrays = to_arrays(rows, self.records.columns)
                    written[split, shard].write(split, arrays)
        for (split, shard), writer in written.items():
            found = {SPLIT: split, SHARD: shard, "folder": str(writer.folder)}
            yield pa.RecordBatch.from_pylist([found], schema=self.schema)

    schema = pa.schema({SPLIT: pa.string(), SHARD: pa.int32(), "folder": pa.string()})

    def _open(self) -> RecordWriter:
        return RecordWriter(
            self.records.folder / f".shard-{uuid4().hex}",
            self.records.columns,
            layout=self.records.layout,
            compression=self.records.compression,
            nullable=self.records.nullable,
            shards=1,
        )


def _by_shard(
    batch: pa.RecordBatch,
) -> Iterator[tuple[tuple[str, int], pa.RecordBatch]]:
    keys = list(zip(batch[SPLIT].to_pylist(), batch[SHARD].to_pylist(), strict=True))
    first = 0
    for place in range(1, len(keys) + 1):
        if place == len(keys) or keys[place] != keys[first]:
            yield keys[first], batch.slice(first, place - first)
            first = place
