"""Turns logs into records, as the section `data` of a configuration says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from home_tf.config import Config, load_config
from home_tf.data import Column, RecordSchema, RecordWriter
from home_tf.errors import HomeError, check_at_least
from home_tf.files import atomic_directory, write_json
from home_tf.prepare.check_dataset import check_dataset, tasks_without_ones
from home_tf.prepare.columns import Columns
from home_tf.prepare.engine import Connection, Table, connect, first_row
from home_tf.prepare.history_columns import HistoryColumns
from home_tf.prepare.join_history import SPLIT, JoinHistory
from home_tf.prepare.read_files import check_folder, files_exist
from home_tf.prepare.read_rows import OF_LOG, as_list, matched, read_rows
from home_tf.prepare.record_columns import record_columns, to_arrays
from home_tf.prepare.select_rows import select_rows
from home_tf.prepare.splits import SPLITS, make_splits
from home_tf.prepare.statistics import describe_numbers
from home_tf.prepare.times import DAY, add_times
from home_tf.prepare.vocabularies import write_vocabularies

Progress = Callable[[str, int, int], None]
Warn = Callable[[str], None]

# Rows that are written at once.
BATCH_ROWS = 32_768


def prepare(
    source: Any,
    config: Config | str | Path,
    out: str | Path,
    *,
    folder: str | Path | None = None,
    layout: Literal["packed", "rows"] = "packed",
    compression: Literal["GZIP"] | None = None,
    shards: int = 8,
    memory: str = "4GB",
    seed: int = 0,
    progress: Progress | None = None,
    on_warning: Warn | None = None,
) -> RecordSchema:
    """Prepares a log for training.

    History features of a row count only earlier periods, across the splits;
    vocabularies and statistics count training rows only. What does not fit in memory
    goes to the disk, beside `out`. `out` appears, or is replaced, only when everything
    is written.

    Args:
        source: The folder of the files that `data` names; None for that of the
            configuration. Or the log itself: an Ibis table, or a frame of Arrow, pandas
            or Polars.
        config: The configuration, with a section `data`, or its file.
        out: The folder to write.
        folder: Where relative paths begin if `source` is a table.
        layout: `"packed"` (blocks of rows) or `"rows"` (one `tf.Example` a row).
        compression: `None` or `"GZIP"`.
        shards: Number of files of each split.
        memory: The most memory that the database takes.
        seed: Seed of the order of the rows within a day, and of splits by chance.
        progress: Called with a stage and how much of it is done, of how much.
        on_warning: Called at the end with a line about rows that are doubtful, such as
            those without a match in a table.

    Returns:
        The schema of the dataset directory.

    Raises:
        HomeError: If a file or a column is missing or cannot be read, if an argument is
            out of its range, or if `out` is a folder that was not prepared or cannot be
            written.
    """
    check_at_least("seed", seed, 0)
    loaded, beside = _load(config)
    log = None if source is None or isinstance(source, (str, Path)) else source
    given = source if log is None else folder
    base = beside if given is None else Path(given)
    check_folder(base)
    job = _Preparation(loaded, seed, progress or _silent)
    with (
        _explain_unwritable(out),
        atomic_directory(out, replaceable=_is_prepared) as result,
        TemporaryDirectory(prefix=".spool-", dir=result) as spool,
        connect(Path(spool), memory) as connection,
    ):
        job.read(connection, base, log)
        dataset = job.join(connection)
        columns = record_columns(dataset, job.columns.kinds, job.data)
        with RecordWriter(
            result,
            columns,
            layout=layout,
            compression=compression,
            shards=shards,
            nullable=job.columns.nullable,
        ) as writer:
            job.write(dataset, columns, writer)
        job.describe(dataset, result)
        job.count_unmatched()
    for line in job.warnings:
        (on_warning or _silent)(line)
    return RecordSchema.load(out)


class _Preparation:
    """The steps of one call of `prepare`."""

    def __init__(self, config: Config, seed: int, progress: Progress) -> None:
        if config.data is None:
            raise HomeError(
                "the configuration has no section `data`, which says where the rows "
                "come from"
            )
        self.data = config.data
        self.columns = Columns.of(config)
        self.warnings: list[str] = []
        self._offset = int(np.random.default_rng(seed).integers(2**62))
        self._progress = progress

    def read(self, connection: Connection, folder: Path, log: Any) -> None:
        """Reads the rows."""
        self._progress("reading rows", 0, 1)
        self._check_history_log(folder)
        rows = read_rows(connection, self.data, folder, log)
        rows = add_times(connection, rows, self.data)
        given = [name for name in rows.columns if not name.startswith("__")]
        self._add_split_column(given)
        self._wanted = HistoryColumns.of(self.columns, self.data, given)
        self.rows, self._events = select_rows(
            connection, rows, self.data, self.columns, self._wanted
        )
        self._progress("reading rows", 1, 1)

    def join(self, connection: Connection) -> Table:
        """Joins the rows with their history."""
        self._count_without_day()
        self._split_of = make_splits(self._events, self.data, self._offset)
        history = JoinHistory.count(
            connection,
            self.rows,
            self._events,
            self.data,
            self.columns,
            self._wanted,
        )
        dataset = history.write(
            connection, self._split_of, offset=self._offset, progress=self._progress
        )
        check_dataset(dataset, self.columns)
        self.warnings += tasks_without_ones(dataset, self.columns)
        return dataset

    def write(
        self, dataset: Table, columns: dict[str, Column], writer: RecordWriter
    ) -> None:
        """Writes the records."""
        done, total = 0, dataset.count().to_pyarrow().as_py()
        for split in SPLITS:
            rows = dataset.filter(dataset[SPLIT] == split).drop(SPLIT)
            for batch in rows.to_pyarrow_batches(chunk_size=BATCH_ROWS):
                writer.write(split, to_arrays(batch, columns))
                done += batch.num_rows
                self._progress("writing records", done, total)

    def describe(self, dataset: Table, folder: Path) -> None:
        """Writes the vocabularies and the statistics."""
        (folder / "vocabularies").mkdir()
        write_vocabularies(dataset, self.columns.vocabularies, folder / "vocabularies")
        described = describe_numbers(dataset, self.columns.numbers)
        write_json(folder / "statistics.json", described)

    def count_unmatched(self) -> None:
        """Warns of rows without a match in a table."""
        tables = self.data.tables
        rows = self.rows.filter(self._split_of(self.rows).notnull())
        missing = {name: (~rows[matched(name)]).sum() for name in tables}
        counted = first_row(rows.agg(__all=rows.count(), **missing))
        for name in tables:
            if counted[name]:
                self.warnings.append(
                    f"{counted[name]:,} of {counted['__all']:,} rows have a "
                    f"{' and '.join(as_list(tables[name].key))} that is not in "
                    f"`{name}`"
                )

    def _count_without_day(self) -> None:
        if DAY in self._events.columns:
            log = self._events.filter(self._events[OF_LOG])
            missing = log[DAY].isnull().sum()
            found = first_row(log.agg(missing=missing, rows=log.count()))
            if found["missing"]:
                self.warnings.append(
                    f"{found['missing']:,} of {found['rows']:,} rows have no day, and "
                    "are left out"
                )

    def _check_history_log(self, folder: Path) -> None:
        history = self.data.history_log
        if history is not None and not files_exist(history.files, folder):
            self.warnings.append(
                f"no file is called {history.files} in {folder}: nothing counts as "
                "history only"
            )
            self.data = replace(self.data, history_log=None)

    def _add_split_column(self, given: list[str]) -> None:
        split = self.data.split
        decides = split.column if split and split.column else self.data.day
        if decides in given:
            self.columns.kinds.setdefault(decides, "plain")


def _load(config: Config | str | Path) -> tuple[Config, Path]:
    """A configuration, and the folder that it names."""
    if isinstance(config, Config):
        return config, Path(config.data.folder if config.data else ".")
    loaded = load_config(config)
    return loaded, Path(config).parent / (loaded.data.folder if loaded.data else ".")


def _is_prepared(folder: Path) -> bool:
    try:
        RecordSchema.load(folder)
    except HomeError:
        return False
    return True


@contextmanager
def _explain_unwritable(out: str | Path) -> Iterator[None]:
    # The files that are read have errors of their own.
    try:
        yield
    except OSError as error:
        raise HomeError(f"{out}: cannot be written ({error})") from None


def _silent(*_: object) -> None:
    pass
