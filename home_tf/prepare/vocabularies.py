"""The values of every categorical column, counted over training rows."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from home_tf.prepare.columns import (
    CONTEXT_CODES,
    USER_VOCABULARIES,
    VIDEO_VOCABULARIES,
)
from home_tf.prepare.entity_table import EntityTable, Feature

Array = npt.NDArray[Any]
Integers = npt.NDArray[np.int64]


class Vocabularies:
    """Counts the values of the categorical columns over the rows that are added.

    The features of a user or a video do not change, so only its rows are counted; the
    values follow from them at the end. Missing values (-1 and "") are no values.

    Args:
        users: The users.
        videos: The videos.
    """

    def __init__(self, users: EntityTable, videos: EntityTable) -> None:
        self._users, self._videos = users, videos
        self._user_rows = np.zeros(len(users.ids), np.int64)
        self._video_rows = np.zeros(len(videos.ids), np.int64)
        self._context: dict[str, Integers] = {
            name: np.zeros(0, np.int64) for name in CONTEXT_CODES
        }

    def add(self, user: Integers, video: Integers, context: dict[str, Array]) -> None:
        """Counts rows.

        Args:
            user: `(rows,)` positions of the users.
            video: `(rows,)` positions of the videos.
            context: The columns of `CONTEXT_CODES`, `(rows,)` each, not negative.
        """
        # Not bincount: there may be thousands of times more videos than rows.
        np.add.at(self._user_rows, user, 1)
        np.add.at(self._video_rows, video, 1)
        for name, counts in self._context.items():
            more = np.bincount(context[name], minlength=len(counts))
            more[: len(counts)] += counts
            self._context[name] = more

    def save(self, folder: Path) -> None:
        """Writes `<column>.csv` for every column: value and count, most frequent first.

        Values of equal count are in ascending order.

        Args:
            folder: An existing folder.
        """
        _write(folder / "user_id.csv", self._users.ids, self._user_rows)
        _write(folder / "video_id.csv", self._videos.ids, self._video_rows)
        for name, counts in self._context.items():
            _write(folder / f"{name}.csv", np.arange(len(counts)), counts)
        for name in USER_VOCABULARIES:
            feature = self._users.features[name]
            _write(folder / f"{name}.csv", *_count(feature, self._user_rows))
        for name in VIDEO_VOCABULARIES:
            feature = self._videos.features[name]
            _write(folder / f"{name}.csv", *_count(feature, self._video_rows))


def _count(feature: Feature, rows: Integers) -> tuple[Array, Array]:
    """The distinct values of a feature, and in how many rows each of them occurs."""
    counts = np.zeros(len(feature.values), np.int64)
    np.add.at(counts, feature.codes, rows)
    width = feature.values[0].size
    values, place = np.unique(feature.values.reshape(-1), return_inverse=True)
    summed = np.zeros(len(values), np.int64)
    np.add.at(summed, place.reshape(-1), np.repeat(counts, width))
    return values, summed


def _write(file: Path, values: Array, counts: Integers) -> None:
    missing = "" if values.dtype.kind == "U" else -1
    used = (counts > 0) & (values != missing)
    values, counts = values[used], counts[used]
    order = np.lexsort((values, -counts))
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(("value", "count"))
        writer.writerows(
            zip(values[order].tolist(), counts[order].tolist(), strict=True)
        )
