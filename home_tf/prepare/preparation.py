"""The steps of `prepare`, from files to records."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from home_tf.config import Config, load_config
from home_tf.config.split_config import NO_TEST
from home_tf.engines import Engine, Records, Table, first_row, open_engine
from home_tf.engines.read_files import files_exist
from home_tf.errors import HomeError
from home_tf.files import (
    AnyPath,
    PathLike,
    RemotePath,
    as_path,
    atomic_directory,
    join_path,
    write_json,
)
from home_tf.prepare.check_dataset import (
    check_numbers,
    check_splits,
    tasks_without_ones,
)
from home_tf.prepare.columns import Columns
from home_tf.prepare.history_columns import HistoryColumns
from home_tf.prepare.join_history import ORDER, JoinHistory
from home_tf.prepare.local_files import local_files
from home_tf.prepare.parts import count_rows
from home_tf.prepare.read_rows import OF_LOG, as_list, matched, read_rows
from home_tf.prepare.select_rows import select_rows
from home_tf.prepare.splits import chosen_split, make_splits
from home_tf.prepare.statistics import describe_numbers
from home_tf.prepare.times import DAY, add_times
from home_tf.prepare.vocabularies import write_vocabularies
from home_tf.progress import Progress, no_progress

Warn = Callable[[str], None]


class Preparation:
    """The steps of `prepare`, from files to records.

    Args:
        engine: The engine of the rows.
        config: The configuration.
        out: The temporary folder to write to.
        seed: Seed of the row order and of random splits.
        progress: Called with a stage, how much of it is done, and the total.
    """

    def __init__(
        self, engine: Engine, config: Config, out: Path, seed: int, progress: Progress
    ) -> None:
        if config.data is None:
            raise HomeError(
                "the configuration has no section `data`, which says where the rows "
                "come from"
            )
        self.engine = engine
        self.out = out
        self.data = config.data
        self.columns = Columns.of(config)
        self.warnings: list[str] = []
        self._seed = int(np.random.default_rng(seed).integers(2**31))
        self._progress = progress

    @classmethod
    @contextmanager
    def open(
        cls,
        source: Any,
        config: Config | PathLike,
        out: PathLike,
        *,
        folder: PathLike | None,
        engine: Any,
        master: str | None,
        memory: str,
        seed: int,
        progress: Progress | None,
        on_warning: Warn | None,
        replaceable: Callable[[AnyPath], bool],
        marker: str,
    ) -> Iterator["Preparation"]:
        """Reads the rows; `out` appears when the context ends without an error.

        Args:
            source: As in `prepare`, like the other arguments.
            config: The configuration, or its file.
            out: The folder to write.
            folder: The base of relative paths if `source` is a table.
            engine: The engine that processes the rows.
            master: The Spark master.
            memory: Memory limit of DuckDB.
            seed: Seed of the row order and of random splits.
            progress: Called with a stage, how much of it is done, and the total.
            on_warning: Called at the end with a line about each kind of doubtful rows.
            replaceable: Whether an existing folder may be replaced.
            marker: The file that is written last.

        Raises:
            HomeError: If something cannot be read, or `out` cannot be written.
        """
        loaded, beside = _load(config)
        is_path = isinstance(source, (str, Path, RemotePath))
        log = None if source is None or is_path else source
        given = source if log is None else folder
        base = beside if given is None else as_path(given)
        if engine != "duckdb":
            _require_shared(base, as_path(out))
        with (
            _explain_unwritable(out),
            local_files(loaded.data, base) as here,
            atomic_directory(out, replaceable=replaceable, marker=marker) as result,
            TemporaryDirectory(prefix=".spool-", dir=result) as spool,
            open_engine(Path(spool), memory, engine, master) as opened,
        ):
            job = cls(opened, loaded, result, seed, progress or no_progress)
            job.read(here, log)
            yield job
        if on_warning is not None:
            for line in job.warnings:
                on_warning(line)

    def read(self, folder: Path, log: Any) -> None:
        """Reads the rows."""
        self._progress("reading rows", 0, 1)
        self._check_history_log(folder)
        expected = self.columns.expected_kinds(self.data)
        rows = read_rows(self.engine, self.data, folder, expected, log)
        rows = add_times(self.engine, rows, self.data)
        given = [name for name in rows.columns if not name.startswith("__")]
        self._add_split_column(given)
        self.wanted = HistoryColumns.of(self.columns, self.data, given)
        self.rows, self.events = select_rows(
            self.engine, rows, self.data, self.columns, self.wanted
        )
        self._progress("reading rows", 1, 1)

    def join(self) -> Table:
        """Joins the rows with their history."""
        self._count_without_day()
        self._split_of = make_splits(self.events, self.data, self._seed)
        counts = count_rows(self.events.filter(self.events[OF_LOG]), self._split_of)
        check_splits(counts, tests=chosen_split(self.data).test != NO_TEST)
        self._check_unmatched()
        self._progress("joining rows", 0, 1)
        history = JoinHistory.count(
            self.engine,
            self.rows,
            self.events,
            self.data,
            self.columns,
            self.wanted,
        )
        dataset = history.join(self.engine, self._split_of, counts, self._seed)
        self._progress("joining rows", 1, 1)
        check_numbers(dataset, self.columns)
        self.warnings += tasks_without_ones(dataset, self.columns)
        return dataset

    def write(self, dataset: Table, records: Records) -> None:
        """Writes the records."""
        total = dataset.count().to_pyarrow().as_py()
        self.engine.write(
            dataset,
            ORDER,
            records,
            lambda done: self._progress("writing records", done, total),
        )

    def describe(self, dataset: Table) -> None:
        """Writes the vocabularies and the statistics."""
        folder = self.out / "vocabularies"
        folder.mkdir()
        write_vocabularies(dataset, self.columns.vocabularies, folder)
        described = describe_numbers(dataset, self.columns.numbers)
        write_json(self.out / "statistics.json", described)

    def _count_without_day(self) -> None:
        if DAY in self.events.columns:
            log = self.events.filter(self.events[OF_LOG])
            missing = log[DAY].isnull().sum()
            found = first_row(log.agg(missing=missing, rows=log.count()))
            if found["missing"]:
                self.warnings.append(
                    f"{found['missing']:,} of {found['rows']:,} rows have no day, and "
                    "are left out"
                )

    def _check_unmatched(self) -> None:
        """Warns about rows without a match in a table.

        Raises:
            HomeError: If they are too many.
        """
        tables = self.data.tables
        if not tables:
            return
        rows = self.rows.filter(self._split_of(self.rows).notnull())
        missing = {name: (~rows[matched(name)]).sum() for name in tables}
        counted = first_row(rows.agg(__all=rows.count(), **missing))
        for name, table in tables.items():
            if not counted[name]:
                continue
            key = " and ".join(as_list(table.key))
            said = (
                f"{counted[name]:,} of {counted['__all']:,} rows have a {key} that is "
                f"not in `{name}`"
            )
            if counted[name] > table.max_unmatched * counted["__all"]:
                raise HomeError(
                    f"{said}. Name the right key or files, or allow it with "
                    f"`data.tables.{name}.max_unmatched`"
                )
            self.warnings.append(said)

    def _check_history_log(self, folder: Path) -> None:
        history = self.data.history_log
        if history is not None and not files_exist(history.files, folder):
            self.warnings.append(
                f"no file matches {history.files} in {folder}: nothing counts as "
                "history only"
            )
            self.data = replace(self.data, history_log=None)

    def _add_split_column(self, given: list[str]) -> None:
        split = self.data.split
        decides = split.column if split and split.column else self.data.day
        if decides in given:
            self.columns.kinds.setdefault(decides, "plain")


def _load(config: Config | PathLike) -> tuple[Config, AnyPath]:
    """Loads a configuration, and finds the folder that it names."""
    loaded = config if isinstance(config, Config) else load_config(config)
    folder = loaded.data.folder if loaded.data else "."
    if isinstance(config, Config):
        return loaded, as_path(folder)
    return loaded, join_path(as_path(config).parent, folder)


def _require_shared(base: AnyPath, out: AnyPath) -> None:
    for path in (base, out):
        if isinstance(path, RemotePath):
            raise HomeError(
                f"{path}: `engine: spark` reads and writes a folder that all machines "
                "can reach. Name addresses for Spark itself in `data.log`, such as "
                "s3a://bucket/*.parquet, and copy what it has written"
            )


@contextmanager
def _explain_unwritable(out: PathLike) -> Iterator[None]:
    # The files that are read have their own errors.
    try:
        yield
    except OSError as error:
        raise HomeError(f"{out}: cannot be written ({error})") from None
