"""Spark: on a cluster, or on the cores of this machine."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from ibis.util import gen_name
from sqlglot import expressions

from home_tf.data import RecordFile, RecordSchema, Split
from home_tf.engines.csv_files import kinds_of_csv
from home_tf.engines.engine import (
    PART,
    ROW,
    SPLIT,
    SPLITS,
    Engine,
    MapBatches,
    Records,
    Table,
    is_parquet,
)
from home_tf.engines.frames import to_arrow
from home_tf.engines.part_files import PartFiles
from home_tf.engines.spark_tasks import (
    SHARD,
    ConvertCsv,
    RunSql,
    WriteShards,
    connect,
)
from home_tf.engines.sql import select_derived
from home_tf.errors import HomeError
from home_tf.extras import extra

# mypy cannot use PySpark's types unless it is installed.
Session = Any
Frame = Any

_FILE, _FIRST = "__file", "__first"


class SparkEngine(Engine):
    """Computes on Spark; DuckDB reads CSV and runs the user's SQL on the executors.

    Args:
        session: The session.
        folder: An empty folder that the executors can also access.
    """

    def __init__(self, session: Session, folder: Path) -> None:
        self._session = session
        self._folder = folder.absolute()
        self._connection = ibis.pyspark.connect(session)

    @classmethod
    @contextmanager
    def open(
        cls, folder: Path, session: Session | None, master: str | None
    ) -> Iterator["SparkEngine"]:
        """Uses the given session or the current one, or starts one.

        Args:
            folder: An empty folder that the executors can also access.
            session: The session; None for the current one.
            master: The address of the cluster, if there is no session.

        Raises:
            HomeError: If PySpark or Java is missing.
        """
        with extra("spark"):
            from pyspark.sql import SparkSession
        found = session or SparkSession.getActiveSession()
        used = found or _start(SparkSession.builder, master)
        zone = used.conf.get("spark.sql.session.timeZone")
        used.conf.set("spark.sql.session.timeZone", "UTC")
        try:
            yield cls(used, folder)
        finally:
            used.conf.set("spark.sql.session.timeZone", zone)
            if found is None:
                used.stop()

    def read(self, name: str, files: Sequence[str], types: Mapping[str, str]) -> Table:
        """Reads Parquet in place, and CSV via Parquet."""
        if not is_parquet(files[0]):
            files = self._convert_csv(name, files, types)
        return self._read_parquet(name, files)

    def take(self, name: str, frame: Any) -> Table:
        """Writes the table to Parquet."""
        file = self._folder / f"{name}.parquet"
        if not isinstance(frame, ibis.Table):
            _write_parquet(to_arrow(frame), file)
        elif isinstance(frame._find_backend(), type(self._connection)):
            self._frame(frame).write.parquet(file.as_uri())
        else:
            _write_parquet(frame.to_pyarrow_batches(), file)
        return self._read_parquet(name, [str(file)])

    def store_parts(self, name: str, table: Table) -> Table:
        """Writes the table to Parquet; `write` does not need the parts."""
        return self.store(name, table)

    def store(self, name: str, table: Table) -> Table:
        """Writes the table to Parquet."""
        address = (self._folder / name).as_uri()
        self._frame(table).write.parquet(address)
        return self._named(name, self._session.read.parquet(address))

    def save(self, table: Table, file: Path) -> None:
        """Writes a folder."""
        self._frame(table).write.parquet(file.absolute().as_uri())

    def for_thread(self, table: Table) -> Table:
        """Reads the table by the same session."""
        return table

    def view(self, name: str, table: Table) -> Table:
        """Names the table in the session."""
        return self._named(name, self._frame(table))

    def derive(self, table: Table, columns: Mapping[str, str]) -> Table:
        """Runs the SQL on the executors, batch by batch."""
        from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

        for sql in columns.values():
            _check_of_one_row(sql)
        frame = self._frame(table)
        query = select_derived("before", frame.columns, columns)
        with connect() as connection:
            empty = to_arrow_schema(frame.schema).empty_table()
            connection.register("before", empty)
            schema = connection.sql(query).to_arrow_table().schema
        run = RunSql(query, schema)
        derived = frame.mapInArrow(lambda rows: run(rows), from_arrow_schema(schema))
        return self._named(gen_name("derived"), derived)

    def write(
        self,
        dataset: Table,
        order_by: Sequence[str],
        records: Records,
        progress: Callable[[int], None],
    ) -> None:
        """Writes each shard on an executor."""
        from pyspark.sql import functions
        from pyspark.sql.pandas.types import from_arrow_schema

        shard = functions.pmod(
            functions.xxhash64(*order_by), functions.lit(records.shards)
        )
        keys = (SPLIT, SHARD)
        rows = self._frame(dataset).withColumn(SHARD, shard.cast("int"))
        rows = rows.repartition(len(SPLITS) * records.shards, *keys)
        rows = rows.sortWithinPartitions(*keys, PART, *order_by)
        write = WriteShards(records)
        schema = from_arrow_schema(WriteShards.schema)
        written = rows.mapInArrow(lambda rows: write(rows), schema).collect()
        found = _gather(records, sorted(written, key=lambda row: (row[0], row[1])))
        found.save(records.folder)
        progress(sum(split.rows for split in found.splits.values()))

    def map_to_parts(
        self,
        table: Table,
        function: MapBatches,
        schema: pa.Schema,
        parts: PartFiles,
        progress: Callable[[int], None],
    ) -> None:
        """Computes on the executors, which write in any order."""
        from pyspark.sql.pandas.types import from_arrow_schema

        mapped = self._frame(table).mapInArrow(
            lambda rows: function(rows), from_arrow_schema(schema)
        )
        folder = self._folder / gen_name("mapped")
        mapped.write.parquet(folder.as_uri())
        parts.take(sorted(folder.glob("*.parquet")))
        progress(parts.rows)

    def _convert_csv(
        self, name: str, files: Sequence[str], types: Mapping[str, str]
    ) -> list[str]:
        with connect() as connection:
            convert = ConvertCsv(kinds_of_csv(connection, files, types))
        folder = self._folder / f"csv-{name}"
        folder.mkdir()
        made = [str(folder / f"{n:06}.parquet") for n in range(len(files))]
        pairs = list(zip(map(_absolute, files), made, strict=True))
        self._session.createDataFrame(pairs, "csv string, parquet string").repartition(
            len(pairs)
        ).mapInArrow(lambda rows: convert(rows), "parquet string").collect()
        return made

    def _read_parquet(self, name: str, files: Sequence[str]) -> Table:
        from pyspark.sql import functions

        addresses = [_address(file) for file in files]
        frame = self._session.read.option("mergeSchema", True).parquet(*addresses)
        file = functions.col("_metadata.file_path")
        counts = frame.groupBy(file.alias(_FILE)).count().collect()
        order = sorted(counts, key=lambda row: _place(row[0], addresses))
        first = accumulate((row[1] for row in order[:-1]), initial=0)
        pairs = [(row[0], begin) for row, begin in zip(order, first, strict=True)]
        begins = self._session.createDataFrame(
            pairs, f"{_FILE} string, {_FIRST} bigint"
        )
        numbered = frame.withColumn(_FILE, file).withColumn(
            ROW, functions.col("_metadata.row_index")
        )
        numbered = numbered.join(functions.broadcast(begins), _FILE)
        numbered = numbered.withColumn(ROW, numbered[ROW] + numbered[_FIRST])
        return self._named(name, numbered.drop(_FILE, _FIRST))

    def _frame(self, table: Table) -> Frame:
        return self._session.sql(self._connection.compile(table))

    def _named(self, name: str, frame: Frame) -> Table:
        frame.createOrReplaceTempView(name)
        return self._connection.table(name)


def _start(builder: Any, master: str | None) -> Session:
    from pyspark.errors import PySparkException

    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        raise HomeError(_no_java("there is no `java`, and no JAVA_HOME"))
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = builder.appName("home-tf").config("spark.ui.showConsoleProgress", False)
    try:
        session = (builder if master is None else builder.master(master)).getOrCreate()
    except PySparkException as error:
        raise HomeError(_no_java(str(error).splitlines()[0])) from None
    session.sparkContext.setLogLevel("ERROR")
    return session


def _no_java(problem: str) -> str:
    return (
        f"Spark cannot start ({problem}). It needs Java 17 or 21: install it, such as "
        "by `apt-get install openjdk-17-jre-headless`, and set JAVA_HOME"
    )


def _check_of_one_row(sql: str) -> None:
    several = (expressions.Window, expressions.AggFunc, expressions.Query)
    if sqlglot.parse_one(sql, read="duckdb").find(*several):
        raise HomeError(
            f"on Spark, an SQL expression must not use other rows. Received: {sql!r}. "
            "Compute it beforehand, or with `data.history`"
        )


def _absolute(file: str) -> str:
    return file if "://" in file else str(Path(file).absolute())


def _address(file: str) -> str:
    """The URL of a file; without a scheme, Spark may look elsewhere."""
    return file if "://" in file else Path(file).absolute().as_uri()


def _place(address: str, addresses: Sequence[str]) -> tuple[int, str]:
    """The position of a file among the given ones, or by its name."""
    path = unquote(urlparse(address).path)
    paths = [unquote(urlparse(one).path) for one in addresses]
    return (paths.index(path) if path in paths else len(paths), path)


def _write_parquet(table: pa.Table | pa.RecordBatchReader, file: Path) -> None:
    # Spark does not read nanoseconds.
    options = {"coerce_timestamps": "us", "allow_truncated_timestamps": True}
    reader = table.to_reader() if isinstance(table, pa.Table) else table
    with pq.ParquetWriter(file, reader.schema, **options) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _gather(records: Records, written: Sequence[Any]) -> RecordSchema:
    """Moves the shards to where they belong."""
    splits = {}
    for split in SPLITS:
        folders = [Path(row["folder"]) for row in written if row[SPLIT] == split]
        last = f"of-{len(folders):05}.tfrecord"
        files = [
            _move(folder, split, records.folder / f"{split}-{number:05}-{last}")
            for number, folder in enumerate(folders)
        ]
        splits[split] = Split(sum(file.rows for file in files), tuple(files))
    return RecordSchema(
        layout=records.layout,
        compression=records.compression,
        columns=dict(records.columns),
        splits=splits,
    )


def _move(folder: Path, split: str, to: Path) -> RecordFile:
    (file,) = RecordSchema.load(folder).splits[split].files
    (folder / file.name).replace(to)
    shutil.rmtree(folder)
    return replace(file, name=to.name)
