"""Turns logs into records, as the section `data` of a configuration says."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from home_tf.config import Config
from home_tf.data import RecordSchema
from home_tf.data.schema import FILE_NAME as SCHEMA_FILE
from home_tf.engines import Records
from home_tf.errors import HomeError, check_at_least
from home_tf.files import AnyPath, PathLike
from home_tf.prepare.preparation import Preparation, Warn
from home_tf.prepare.record_columns import record_columns
from home_tf.progress import Progress


def prepare(
    source: Any,
    config: Config | PathLike,
    out: PathLike,
    *,
    folder: PathLike | None = None,
    layout: Literal["packed", "rows"] = "packed",
    compression: Literal["GZIP"] | None = None,
    shards: int = 8,
    engine: Any = "duckdb",
    master: str | None = None,
    memory: str = "4GB",
    seed: int = 0,
    progress: Progress | None = None,
    on_warning: Warn | None = None,
) -> RecordSchema:
    """Prepares a log for training.

    History features of a row count only earlier periods, across the splits;
    vocabularies and statistics count only training rows. Data that does not fit in
    memory is spilled to disk, next to `out`. `out` appears, or is replaced, only when
    everything is written. If it is a URL, everything is written below `TMPDIR` and then
    uploaded.

    Args:
        source: The folder of the files that `data` names, or its URL, from which they
            are downloaded; None for the configured one. Or the log itself: an Ibis
            table, or a frame of Arrow, pandas or Polars.
        config: The configuration, with a section `data`, or its file.
        out: The folder to write, or its URL.
        folder: The base of relative paths if `source` is a table.
        layout: `"packed"` (blocks of rows) or `"rows"` (one `tf.Example` per row).
        compression: `None` or `"GZIP"`.
        shards: Number of files per split.
        engine: `"duckdb"`, on this machine; `"spark"`, in the current session or a new
            one; or a Spark session.
        master: The Spark master, such as `spark://host:7077`.
        memory: Memory limit of DuckDB.
        seed: Seed of the row order within a day, and of random splits.
        progress: Called with a stage, how much of it is done, and the total.
        on_warning: Called at the end with a line about each kind of doubtful rows, such
            as those without a match in a table.

    Returns:
        The schema of the dataset directory.

    Raises:
        HomeError: If a file or a column is missing or cannot be read, if an argument is
            out of its range, or if `out` is a folder that was not prepared or cannot be
            written.
    """
    check_at_least("seed", seed, 0)
    with Preparation.open(
        source,
        config,
        out,
        folder=folder,
        engine=engine,
        master=master,
        memory=memory,
        seed=seed,
        progress=progress,
        on_warning=on_warning,
        replaceable=_is_prepared,
        marker=SCHEMA_FILE,
    ) as job:
        dataset = job.join()
        records = Records(
            job.out,
            record_columns(dataset, job.columns.kinds, job.data),
            nullable=job.columns.nullable,
            layout=layout,
            compression=compression,
            shards=shards,
        )
        with ThreadPoolExecutor(1) as pool:
            described = pool.submit(job.describe, job.engine.for_thread(dataset))
            job.write(dataset, records)
            described.result()
    return RecordSchema.load(out)


def _is_prepared(folder: AnyPath) -> bool:
    try:
        RecordSchema.load(folder)
    except HomeError:
        return False
    return True
