"""Sorts log rows by day into temporary files, so that days can be read in order."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from home_tf.errors import HomeError
from home_tf.prepare.csv_stream import Columns, floats, integers, stream_csv
from home_tf.prepare.days import to_day
from home_tf.prepare.tasks import LOGGED, TASKS, labels

Array = npt.NDArray[Any]

GROUP_ROWS = 32_768

_INTEGERS = ("user_id", "video_id", "date", "hourmin", "time_ms", "tab", *LOGGED)
_NUMBERS = ("play_time_ms", "duration_ms", "comment_stay_time")
_TYPES = {
    **dict.fromkeys(_INTEGERS, pa.int64()),
    **dict.fromkeys(_NUMBERS, pa.float64()),
}


class Spool:
    """A folder with one parquet file for each day of the logs.

    Log files need not be sorted by time. Within a day, rows keep the order in which
    they were added.

    Args:
        folder: An empty folder for the files.

    Attributes:
        rows: Number of rows of each day added so far, by day such as 20220425.
    """

    def __init__(self, folder: Path) -> None:
        self.rows: dict[int, int] = {}
        self._folder = folder
        self._writers: dict[int, pq.ParquetWriter] = {}
        self._waiting: dict[int, list[pa.Table]] = {}

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for date in self._waiting:
            if error is None:
                self._flush(date)
        for writer in self._writers.values():
            writer.close()

    def add(self, rows: Columns) -> None:
        """Adds log rows of any days.

        Args:
            rows: Columns of `(rows,)`, among them `date`.
        """
        dates = rows["date"]
        for date in np.unique(dates).tolist():
            mine = dates == date
            table = pa.table({name: values[mine] for name, values in rows.items()})
            waiting = self._waiting.setdefault(date, [])
            waiting.append(table)
            self.rows[date] = self.rows.get(date, 0) + table.num_rows
            # A file of many small groups of rows would be slow and large.
            if sum(part.num_rows for part in waiting) >= GROUP_ROWS:
                self._flush(date)

    def read(self, date: int) -> Columns:
        """Reads one day, whole; all days must have been added and closed.

        Args:
            date: The day, such as 20220425.

        Returns:
            The columns that were added, `(rows,)` each.
        """
        table = pq.read_table(self._file(date))
        return {name: table[name].to_numpy() for name in table.column_names}

    def _flush(self, date: int) -> None:
        if not self._waiting[date]:
            return
        table = pa.concat_tables(self._waiting[date])
        self._waiting[date] = []
        if date not in self._writers:
            self._writers[date] = pq.ParquetWriter(self._file(date), table.schema)
        self._writers[date].write_table(table)

    def _file(self, date: int) -> Path:
        return self._folder / f"{date}.parquet"


def spool_logs(
    files: Sequence[Path],
    spool: Spool,
    *,
    on_rows: Callable[[Columns], None],
    progress: Callable[[str, int, int], None],
) -> None:
    """Streams the logs into a spool; outcomes are reduced to labels on the way.

    Args:
        files: `log_standard*.csv[.gz]`.
        spool: Where the rows go: `user_id`, `video_id`, `date`, `hour`, `time_ms`,
            `tab`, `duration_ms` and each task as 0, 1 or -1.
        on_rows: Called with each block of rows.
        progress: Called after each file.

    Raises:
        HomeError: If a file cannot be read.
    """
    for number, file in enumerate(files):
        progress("reading logs", number, len(files))
        for table in stream_csv(file, _TYPES):
            rows = _spooled(table, file)
            on_rows(rows)
            spool.add(rows)
    progress("reading logs", len(files), len(files))


def _spooled(table: pa.Table, file: Path) -> Columns:
    log: Columns = {name: integers(table, name, file) for name in _INTEGERS}
    _check_most(log, "hourmin", 2359, file)
    _check_most(log, "tab", 2**31 - 1, file)
    log.update({name: floats(table, name) for name in _NUMBERS})
    outcomes = labels(log, where=file)
    for date in np.unique(log["date"]).tolist():
        to_day(date, where=file)
    return {
        "user_id": log["user_id"],
        "video_id": log["video_id"],
        "date": log["date"].astype(np.int32),
        "hour": (log["hourmin"] // 100).astype(np.int32),
        "time_ms": log["time_ms"],
        "tab": log["tab"].astype(np.int32),
        "duration_ms": log["duration_ms"].astype(np.float32),
        **{task: outcomes[:, column] for column, task in enumerate(TASKS)},
    }


def _check_most(log: Columns, name: str, most: int, file: Path) -> None:
    values = log[name]
    if values.size and values.max() > most:
        raise HomeError(
            f"{file}: column `{name}` must be at most {most}. Received: {values.max()}"
        )
