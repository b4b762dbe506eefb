"""Joins a day of the logs with features into the rows to be written."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.prepare.columns import CONTEXT_CODES
from home_tf.prepare.csv_stream import Columns
from home_tf.prepare.days import to_day
from home_tf.prepare.entity_table import EntityTable
from home_tf.prepare.point_in_time import PointInTime
from home_tf.prepare.tasks import TASKS

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Day:
    """The log rows of one day, and the positions of their users, videos and authors.

    Attributes:
        date: The day, such as 20220425.
        log: Columns of `(rows,)`, as they were spooled.
        positions: `user`, `video` and `author`, `(rows,)` each; an author may be -1.
        labels: `(rows, tasks)`: 0, 1, or -1 for a missing label.
    """

    date: int
    log: Columns
    positions: dict[str, Integers]
    labels: npt.NDArray[np.int8]

    @classmethod
    def of(
        cls, date: int, log: Columns, users: EntityTable, videos: EntityTable
    ) -> "Day":
        """Looks up the positions of the rows of a log."""
        return cls(
            date=date,
            log=log,
            positions=positions(log["user_id"], log["video_id"], users, videos),
            labels=np.stack([log[task] for task in TASKS], axis=1),
        )

    def take(self, rows: Integers) -> "Day":
        """Chooses rows, in the given order."""
        return Day(
            date=self.date,
            log={name: values[rows] for name, values in self.log.items()},
            positions={name: place[rows] for name, place in self.positions.items()},
            labels=self.labels[rows],
        )

    def context(self) -> Columns:
        """The columns of `CONTEXT_CODES`."""
        weekend = to_day(self.date).weekday() >= 5
        constant = np.full(len(self.labels), weekend, np.int32)
        known = {"is_weekend": constant, **self.log}
        return {name: known[name] for name in CONTEXT_CODES}


def positions(
    user_id: Integers, video_id: Integers, users: EntityTable, videos: EntityTable
) -> dict[str, Integers]:
    """Looks up where users, videos and the videos' authors are counted.

    Args:
        user_id: `(rows,)`, all of them in `users`.
        video_id: `(rows,)`, all of them in `videos`.
        users: The users.
        videos: The videos, with `author_id`.

    Returns:
        `user`, `video` and `author`, `(rows,)` each; -1 where the author is unknown.
    """
    video = videos.positions(video_id)
    author = videos.features["author_id"]
    code = author.codes[video].astype(np.int64)
    return {
        "user": users.positions(user_id),
        "video": video,
        "author": np.where(author.values[code] >= 0, code, -1),
    }


def join(
    day: Day, users: EntityTable, videos: EntityTable, past: PointInTime
) -> Columns:
    """Joins log rows with the features of their user, their video and the past.

    Args:
        day: The rows.
        users: The users.
        videos: The videos.
        past: What was known before the day began.

    Returns:
        The columns of `columns.columns`, `(rows, ...)` each.
    """
    user, video = day.positions["user"], day.positions["video"]
    features = {name: column.take(video) for name, column in videos.features.items()}
    upload = features.pop("upload_dt")
    return {
        "user_id": day.log["user_id"],
        "video_id": day.log["video_id"],
        **day.context(),
        **{name: column.take(user) for name, column in users.features.items()},
        **features,
        **past.features(day.positions),
        "duration_ms": day.log["duration_ms"],
        "video_age_days": _age(day.date, upload),
        "date": day.log["date"],
        **{task: _label(day.labels[:, column]) for column, task in enumerate(TASKS)},
    }


def _age(date: int, upload: Array) -> npt.NDArray[np.float32]:
    age = np.datetime64(to_day(date), "D") - upload
    days = np.where(np.isnat(age), 0, age.astype(np.int64))
    return np.maximum(days, 0).astype(np.float32)


def _label(values: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    return np.where(values < 0, np.nan, values).astype(np.float32)
