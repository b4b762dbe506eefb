"""Turns the files of KuaiRand into records with point-in-time features."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np

from home_tf.data import RecordSchema, RecordWriter
from home_tf.errors import HomeError, check_at_least
from home_tf.files import atomic_directory
from home_tf.prepare.columns import NUMBERS, columns
from home_tf.prepare.csv_stream import Columns
from home_tf.prepare.point_in_time import PointInTime
from home_tf.prepare.read_features import read_users, read_videos
from home_tf.prepare.read_history import read_history
from home_tf.prepare.rows import Day, join, positions
from home_tf.prepare.running_statistics import RunningStatistics
from home_tf.prepare.source import Source
from home_tf.prepare.splits import HISTORY, assign_splits
from home_tf.prepare.spool import Spool, spool_logs
from home_tf.prepare.tasks import TASKS
from home_tf.prepare.vocabularies import Vocabularies

Progress = Callable[[str, int, int], None]
Warn = Callable[[str], None]

# Rows that are joined and written at once: bounds the memory, not the result.
CHUNK_ROWS = 32_768


def prepare(
    source: str | Path,
    out: str | Path,
    *,
    layout: Literal["packed", "rows"] = "packed",
    compression: Literal["GZIP"] | None = None,
    shards: int = 8,
    validation_date: int | None = None,
    test_date: int | None = None,
    first_date: int | None = None,
    history_length: int = 20,
    smoothing: float = 20.0,
    seed: int = 0,
    progress: Progress | None = None,
    on_warning: Warn | None = None,
) -> RecordSchema:
    """Prepares KuaiRand (Pure, 1K, 27K or synthetic) for training.

    Rows are split by their `date`. History features of a row count only days before
    the row's own, across the splits; vocabularies and statistics count training rows
    only. Memory grows with the users, the videos and the rows of one day, not with the
    length of the logs. `out` appears, or is replaced, only when everything is written.

    Args:
        source: A folder with `log_standard*.csv[.gz]`, `user_features_*.csv[.gz]`,
            `video_features_basic_*.csv[.gz]` and possibly
            `history_impressions*.parquet`, or the folder whose `data` holds them.
        out: The folder to write.
        layout: `"packed"` (blocks of rows) or `"rows"` (one `tf.Example` a row).
        compression: `None` or `"GZIP"`.
        shards: Number of files of each split.
        validation_date: The validation day, such as 20220505; by default the day
            before the test day.
        test_date: The test day; by default the last one. Later days are left out.
        first_date: The first training day; rows of earlier days count as history only.
        history_length: How many videos a user's sequences hold.
        smoothing: The weight of the overall rate in the rates of users, videos and
            authors, in impressions.
        seed: Seed of the order of the rows within a day, and of the sample that
            quantiles are taken from.
        progress: Called with a stage and how much of it is done, of how much.
        on_warning: Called at the end with a line about rows that are doubtful, such as
            those of users without features.

    Returns:
        The schema of the prepared folder.

    Raises:
        HomeError: If the source is incomplete or damaged, if an argument is out of its
            range, or if `out` is a folder that was not prepared or cannot be written.
    """
    _check(history_length, smoothing, seed)
    found = Source.find(source)
    with (
        _explain_unwritable(out),
        atomic_directory(out, replaceable=_is_prepared) as result,
        TemporaryDirectory(prefix=".spool-", dir=result) as spool,
        RecordWriter(
            result,
            columns(history_length),
            layout=layout,
            compression=compression,
            shards=shards,
            nullable=TASKS,
        ) as writer,
    ):
        job = _Preparation(found, Path(spool), seed, progress or _silent)
        dates = sorted(job.spool.rows)
        splits = assign_splits(
            dates,
            validation_date=validation_date,
            test_date=test_date,
            first_date=first_date,
        )
        past = job.past(history_length=history_length, smoothing=smoothing)
        job.write_days(splits, past, writer)
        job.save(result)
    job.warn(on_warning or _silent)
    return RecordSchema.load(out)


class _Preparation:
    """The state of one call of `prepare`."""

    def __init__(
        self, source: Source, spool: Path, seed: int, progress: Progress
    ) -> None:
        self._seed, self._progress = seed, progress
        self.users = read_users(source.users)
        self.videos = read_videos(source.videos)
        self._history = read_history(source.history)
        self.spool = self._read_logs(source, spool)
        self.vocabularies = Vocabularies(self.users, self.videos)
        self.statistics = RunningStatistics([*NUMBERS, *TASKS], seed=seed)
        self._rows = 0
        self._without_features = {"user": 0, "video": 0}

    def _read_logs(self, source: Source, folder: Path) -> Spool:
        users = videos = np.zeros(0, np.int64)

        def meet(rows: Columns) -> None:
            nonlocal users, videos
            users = np.union1d(users, self.users.unknown(rows["user_id"]))
            videos = np.union1d(videos, self.videos.unknown(rows["video_id"]))

        meet(self._history)
        with Spool(folder) as spool:
            spool_logs(source.logs, spool, on_rows=meet, progress=self._progress)
        self.users = self.users.extended(users)
        self.videos = self.videos.extended(videos)
        return spool

    def past(self, *, history_length: int, smoothing: float) -> PointInTime:
        """What was known before the first day of the logs."""
        sizes = {
            "user": len(self.users.ids),
            "video": len(self.videos.ids),
            "author": len(self.videos.features["author_id"].values),
        }
        past = PointInTime(sizes, history_length=history_length, smoothing=smoothing)
        user_id, video_id = self._history["user_id"], self._history["video_id"]
        past.add(
            positions(user_id, video_id, self.users, self.videos),
            video_id,
            self._history["labels"],
            self._history["pos_from_end"],
        )
        return past

    def write_days(
        self, splits: dict[int, str], past: PointInTime, writer: RecordWriter
    ) -> None:
        """Writes the days in order; each joins the past once it is written."""
        total = sum(self.spool.rows[date] for date in splits)
        for date, split in splits.items():
            log = self.spool.read(date)
            day = Day.of(date, log, self.users, self.videos)
            if split != HISTORY:
                self._write_day(day, split, past, writer)
            past.add(day.positions, log["video_id"], day.labels, log["time_ms"])
            self._rows += len(day.labels)
            self._progress("writing days", self._rows, total)

    def _write_day(
        self, day: Day, split: str, past: PointInTime, writer: RecordWriter
    ) -> None:
        random = np.random.default_rng([self._seed, day.date])
        order = random.permutation(len(day.labels))
        for start in range(0, len(order), CHUNK_ROWS):
            chunk = day.take(order[start : start + CHUNK_ROWS])
            rows = join(chunk, self.users, self.videos, past)
            writer.write(split, rows)
            self._count_strangers(chunk)
            if split == "train":
                place = chunk.positions
                self.vocabularies.add(place["user"], place["video"], chunk.context())
                self.statistics.add(rows)

    def _count_strangers(self, chunk: Day) -> None:
        for name, table in (("user", self.users), ("video", self.videos)):
            known = table.known[chunk.positions[name]]
            self._without_features[name] += int(np.count_nonzero(~known))

    def save(self, folder: Path) -> None:
        """Writes the vocabularies and the statistics."""
        (folder / "vocabularies").mkdir()
        self.vocabularies.save(folder / "vocabularies")
        self.statistics.save(folder / "statistics.json")

    def warn(self, on_warning: Warn) -> None:
        """Tells of rows whose user or video is not in the feature files."""
        for name, rows in self._without_features.items():
            if rows:
                on_warning(
                    f"{rows:,} of {self._rows:,} rows have a {name}_id that is not in "
                    f"the {name} features"
                )


def _check(history_length: int, smoothing: float, seed: int) -> None:
    check_at_least("history_length", history_length, 1)
    check_at_least("seed", seed, 0)
    if not 0 <= smoothing < np.inf:
        raise HomeError(f"`smoothing` must not be negative. Received: {smoothing}")


def _is_prepared(folder: Path) -> bool:
    try:
        RecordSchema.load(folder)
    except HomeError:
        return False
    return True


@contextmanager
def _explain_unwritable(out: str | Path) -> Iterator[None]:
    # The files of the source have errors of their own.
    try:
        yield
    except OSError as error:
        raise HomeError(f"{out}: cannot be written ({error})") from None


def _silent(*_: object) -> None:
    pass
