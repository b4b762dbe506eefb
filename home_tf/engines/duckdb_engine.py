"""DuckDB: embedded, on all cores, within a memory limit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from ibis.util import gen_name

from home_tf.data import RecordWriter
from home_tf.engines.csv_files import kinds_of_csv, select_csv
from home_tf.engines.engine import (
    PART,
    ROW,
    SPLIT,
    Engine,
    MapBatches,
    Records,
    Table,
    is_parquet,
)
from home_tf.engines.explain import explained
from home_tf.engines.frames import to_arrow
from home_tf.engines.part_files import PartFiles
from home_tf.engines.sql import (
    as_text,
    quoted,
    select_derived,
    select_parquet,
)
from home_tf.engines.to_arrays import to_arrays

# Rows to write at once.
_BATCH_ROWS = 32_768
# Columns that DuckDB adds to those of Parquet files, unless they exist.
_FILE, _PLACE = "file_index", "file_row_number"


class DuckDBEngine(Engine):
    """An in-memory database that spills to a folder.

    Args:
        connection: The Ibis connection.
        folder: An empty folder.
    """

    def __init__(self, connection: Any, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    @classmethod
    @contextmanager
    def open(cls, folder: Path, memory: str) -> Iterator["DuckDBEngine"]:
        """Opens a database.

        Args:
            folder: An empty folder.
            memory: Memory limit of the database, such as `4GB`.

        Raises:
            HomeError: If `memory` is not an amount of memory.
        """
        with explained("`memory`"):
            connection = ibis.duckdb.connect(
                memory_limit=memory, temp_directory=str(folder / "spill")
            )
        connection.raw_sql("SET TimeZone = 'UTC'")
        connection.raw_sql("SET enable_progress_bar = false")
        try:
            yield cls(connection, folder)
        finally:
            connection.disconnect()

    def read(self, name: str, files: Sequence[str], types: Mapping[str, str]) -> Table:
        """Reads Parquet in place, and CSV into a table."""
        if not is_parquet(files[0]):
            return self._read_csv(name, files, types)
        return self._read_parquet(name, files)

    def take(self, name: str, frame: Any) -> Table:
        """Copies the table, in batches if it can."""
        is_ibis = isinstance(frame, ibis.Table)
        given = frame.to_pyarrow_batches() if is_ibis else to_arrow(frame)
        view = gen_name("given")
        self._connection.con.register(view, given)
        return self._numbered(name, f"SELECT * FROM {view}")

    def store(self, name: str, table: Table) -> Table:
        """Makes a table of the database."""
        return self._connection.create_table(name, table)

    def store_parts(self, name: str, table: Table) -> Table:
        """Writes Parquet files: they are compressed, which tables in memory are not."""
        folder = as_text(str(self._folder / name))
        query = self._connection.compile(table)
        self._connection.raw_sql("SET preserve_insertion_order = false")
        self._connection.raw_sql(
            f"COPY ({query}) TO {folder} "
            f"(FORMAT parquet, PARTITION_BY ({quoted(PART)}))"
        )
        self._connection.raw_sql("RESET preserve_insertion_order")
        files = as_text(str(self._folder / name / "*" / "*.parquet"))
        read = f"SELECT * FROM read_parquet({files}, hive_partitioning = true)"
        self._connection.raw_sql(f"CREATE VIEW {quoted(name)} AS {read}")
        return self._connection.table(name)

    def save(self, table: Table, file: Path) -> None:
        """Writes a file."""
        self._connection.to_parquet(table, file)

    def for_thread(self, table: Table) -> Table:
        """Reads the table through a separate connection."""
        cursor = self._connection.con.cursor()
        return ibis.duckdb.from_connection(cursor).table(table.op().name)

    def view(self, name: str, table: Table) -> Table:
        """Makes a view of the database."""
        return self._connection.create_view(name, table)

    def derive(self, table: Table, columns: Mapping[str, str]) -> Table:
        """Runs the SQL as it is."""
        before = gen_name("before")
        self.view(before, table)
        query = select_derived(before, table.columns, columns)
        return self._sql(query)

    def write(
        self,
        dataset: Table,
        order_by: Sequence[str],
        records: Records,
        progress: Callable[[int], None],
    ) -> None:
        """Writes the records one after the other."""
        done = 0
        with RecordWriter(
            records.folder,
            records.columns,
            layout=records.layout,
            compression=records.compression,
            shards=records.shards,
            nullable=records.nullable,
        ) as writer:
            for part in self._parts(dataset):
                rows = dataset.filter(dataset[PART] == part).order_by(order_by)
                rows = rows.select(SPLIT, *records.columns)
                for batch in rows.to_pyarrow_batches(chunk_size=_BATCH_ROWS):
                    split = batch[SPLIT][0].as_py()
                    writer.write(split, to_arrays(batch, records.columns))
                    done += batch.num_rows
                    progress(done)

    def map_to_parts(
        self,
        table: Table,
        function: MapBatches,
        schema: pa.Schema,
        parts: PartFiles,
        progress: Callable[[int], None],
    ) -> None:
        """Processes the rows in order."""
        rest = table.limit(None, offset=parts.rows)
        batches = rest.to_pyarrow_batches(chunk_size=_BATCH_ROWS)
        parts.write(function(iter(batches)), progress)

    def _parts(self, dataset: Table) -> list[int]:
        """The numbers of the parts, from the names of their folders."""
        folders = (self._folder / dataset.op().name).iterdir()
        return sorted(int(folder.name.partition("=")[2]) for folder in folders)

    def _read_csv(
        self, name: str, files: Sequence[str], types: Mapping[str, str]
    ) -> Table:
        # Every query would guess the types again, so the files are read only once.
        kinds = kinds_of_csv(self._connection.con, files, types)
        return self._numbered(name, select_csv(files, kinds))

    def _read_parquet(self, name: str, files: Sequence[str]) -> Table:
        every = select_parquet(files)
        if {_FILE, _PLACE} & set(self._sql(every).columns):
            return self._numbered(name, every)
        # The files are read in place: a copy would take as much space again.
        counts = self._connection.con.execute(
            "SELECT num_rows FROM parquet_file_metadata($files)", {"files": files}
        ).fetchall()
        first = [0, *accumulate(count for (count,) in counts)]
        row = f"{first}[CAST({_FILE} AS BIGINT) + 1] + {_PLACE}"
        return self._sql(select_parquet(files, f"{row} AS {quoted(ROW)}"))

    def _sql(self, query: str) -> Table:
        return self._connection.sql(query, dialect="duckdb")

    def _numbered(self, name: str, query: str) -> Table:
        self._connection.raw_sql(f"CREATE TABLE {quoted(name)} AS {query}")
        table = self._connection.table(name)
        return table.mutate(**{ROW: table.rowid()})
